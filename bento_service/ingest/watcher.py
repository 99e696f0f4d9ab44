"""Watching of image roots: changed folders are trained automatically.

A notification only names the folder to train. The lowest folder with all changes of a period is
trained by a normal job, which skips unchanged files; so lost or imprecise notifications do no harm,
and the job at the start finds earlier changes.
"""

import asyncio
import hashlib
import logging
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from watchfiles import watch

from bento_service.catalogue import Catalogue
from bento_service.catalogue.jobs.records import JobRecord
from bento_service.catalogue.records import Computed
from bento_service.errors import LookalikeError
from bento_service.ingest.starting.folder_jobs import start_folder_job
from bento_service.ingest.worker.waiting import CATALOGUE_TROUBLE, Waits
from bento_service.requests import TrainRequest
from bento_service.settings import AnyImageRoot, ImageRoot
from bento_service.storage.image_roots import ImageRoots

_QUIET_MS = 1_000
_LONGEST_MS = 30_000
_RETRY_SECONDS = 30.0
_POLL_SECONDS = 0.5
_POLLED_SECONDS = 60.0
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Watched:
    """An image root that is watched for a collection.

    `prune` deletes images with their files; `poll_seconds` is 0 for notifications by the system,
    which object storage has not: it is polled every minute.
    """

    root: AnyImageRoot
    collection: str
    prune: bool = False
    poll_seconds: float = 0.0


class Watcher:
    """A watcher of image roots that runs within an `async with` block.

    `on_job` is called on the event loop after a job was created.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        roots: ImageRoots,
        computed: Computed,
        watched: Iterable[Watched],
        *,
        on_job: Callable[[], None],
    ) -> None:
        self._catalogue = catalogue
        self._roots = roots
        self._computed = computed
        self._watched = tuple(watched)
        self._on_job = on_job
        self._tasks: list[asyncio.Task[None]] = []
        self._stopping = threading.Event()
        # Separate threads, because searches need the event loop's default threads.
        self._threads = ThreadPoolExecutor(max(1, len(self._watched)), "watch")

    async def __aenter__(self) -> "Watcher":
        self._tasks = [asyncio.create_task(self._follow(each)) for each in self._watched]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._stopping.set()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.to_thread(self._threads.shutdown)

    async def _follow(self, watched: Watched) -> None:
        """Train a root and then its changes; log errors and retry."""
        while True:
            try:
                await self._watch(watched)
            except (LookalikeError, OSError, RuntimeError) as error:
                _log.error(
                    "watching %s failed, next attempt in %.0f s: %s",
                    watched.root.name,
                    _RETRY_SECONDS,
                    error,
                )
            await asyncio.sleep(_RETRY_SECONDS)

    async def _watch(self, watched: Watched) -> None:
        loop = asyncio.get_running_loop()
        if isinstance(watched.root, ImageRoot) and watched.poll_seconds == 0:
            folders = notified_folders(watched.root.path, self._stopping)
        else:
            folders = polled_folders(self._roots, watched, self._stopping)
        while True:
            folder = await loop.run_in_executor(self._threads, next, folders, None)
            if folder is None:
                return
            await self._train(watched, folder)

    async def _train(self, watched: Watched, folder: Path) -> None:
        """Train a folder of a root, or its nearest existing parent, and wait for the job."""
        if isinstance(watched.root, ImageRoot):
            while not (watched.root.path / folder).is_dir() and folder != Path():
                folder = folder.parent
        request = TrainRequest(
            path=str(folder),
            root=watched.root.name,
            collection=watched.collection,
            prune=watched.prune,
        )
        job = await Waits().until_available(
            start_folder_job, self._catalogue, self._roots, self._computed, request
        )
        _log.info("training %s of the watched root %s", folder, watched.root.name)
        self._on_job()
        await self._end_of(job)

    async def _end_of(self, job: JobRecord) -> None:
        """Wait for the end of a job, so that changes meanwhile are collected into one job."""
        while True:
            with suppress(*CATALOGUE_TROUBLE):
                current = await asyncio.to_thread(self._catalogue.jobs.get, job.id)
                if current.state.is_final:
                    return
            await asyncio.sleep(_POLL_SECONDS)


def notified_folders(root: Path, stop: threading.Event) -> Iterator[Path]:
    """Yield a root itself, and then its changed folders as notified by the system.

    Raise `OSError` if the root is missing, or another folder is mounted in its place.
    """
    is_first, identity = True, _identity(root)
    for changes in watch(
        root,
        watch_filter=None,
        step=_QUIET_MS,
        debounce=_LONGEST_MS,
        rust_timeout=_QUIET_MS,
        yield_on_timeout=True,
        stop_event=stop,
        raise_interrupt=False,
        recursive=True,
        force_polling=False,
        ignore_permission_denied=True,
    ):
        if _identity(root) != identity:
            raise OSError(f"{root} is another folder now, like after mounting a disk there")
        if is_first:  # only now, because changes from now on are notified
            is_first = False
            yield Path()
        if changes:
            yield _folder_of({Path(path) for _, path in changes}, root)


def _identity(root: Path) -> tuple[int, int]:
    status = root.stat()
    return status.st_dev, status.st_ino


def polled_folders(
    roots: ImageRoots,
    watched: Watched,
    stop: threading.Event,
    *,
    usual_seconds: float = _POLLED_SECONDS,
) -> Iterator[Path]:
    """Yield a root, at once and after each change of its list of files.

    Polling is for storage without notifications, such as network file systems; `usual_seconds` is
    the interval if none is set.
    """
    before = None
    while not stop.is_set():
        digest = _digest_of_list(roots, watched, stop)
        if digest != before:
            before = digest
            yield Path()
        stop.wait(watched.poll_seconds or usual_seconds)


def _digest_of_list(roots: ImageRoots, watched: Watched, stop: threading.Event) -> bytes:
    digest = hashlib.sha256()
    located = roots.locate(".", watched.root.name)
    for file in roots.walk(located, recursive=True, ignore=()):
        if stop.is_set():
            break
        digest.update(os.fsencode(f"{file.path}\0{file.stamp}\0"))
    return digest.digest()


def _folder_of(paths: Iterable[Path], root: Path) -> Path:
    """Return the lowest folder with all of some paths, relative to the root."""
    folders = [path.parent for path in paths if path.is_relative_to(root) and path != root]
    if not folders:
        return Path()
    common = Path(os.path.commonpath(folders))
    return common.relative_to(root) if common.is_relative_to(root) else Path()
