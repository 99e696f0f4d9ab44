"""Following image roots: what changes in them is trained by itself.

A change only says where to look. The folder that holds all changes of a while is trained as a
normal job, which skips what is as it was; so nothing depends on what exactly the system told, and
what it told while nobody listened is found by the train at the start.
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
from bento_service.ingest.worker.waiting import CATALOGUE_TROUBLE, patiently
from bento_service.settings import ImageRoot
from bento_service.storage.image_roots import ImageRoots
from client_sdk.schemas import TrainRequest

_QUIET_MS = 1_000
_LONGEST_MS = 30_000
_RETRY_SECONDS = 30.0
_LOOK_AGAIN_SECONDS = 0.5
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Watched:
    """An image root that is followed into a collection.

    Attributes:
        prune: Whether images go whose files go.
        poll_seconds: How often to look where the system does not tell; 0 to be told.
    """

    root: ImageRoot
    collection: str
    prune: bool = False
    poll_seconds: float = 0.0


class Watcher:
    """Follows image roots until it is stopped. Start it with `async with`."""

    def __init__(
        self,
        catalogue: Catalogue,
        roots: ImageRoots,
        computed: Computed,
        watched: Iterable[Watched],
        *,
        on_job: Callable[[], None],
    ) -> None:
        """Prepare.

        Args:
            catalogue: Where jobs go.
            roots: All image roots.
            computed: What the service computes.
            watched: What is followed.
            on_job: Called on the event loop when there is a new job.
        """
        self._catalogue = catalogue
        self._roots = roots
        self._computed = computed
        self._watched = tuple(watched)
        self._on_job = on_job
        self._tasks: list[asyncio.Task[None]] = []
        self._stopping = threading.Event()
        # Not the event loop's own few threads, which searches need.
        self._threads = ThreadPoolExecutor(max(1, len(self._watched)), "watch")

    async def __aenter__(self) -> "Watcher":
        self._tasks = [asyncio.create_task(self._follow(one)) for one in self._watched]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._stopping.set()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._threads.shutdown()

    async def _follow(self, watched: Watched) -> None:
        """Train a root and then its changes; whatever goes wrong is told and tried again."""
        while True:
            try:
                await self._watch(watched)
            except (LookalikeError, OSError, RuntimeError) as error:
                _log.error(
                    "watching %s is tried again in %.0f s: %s",
                    watched.root.name,
                    _RETRY_SECONDS,
                    error,
                )
            await asyncio.sleep(_RETRY_SECONDS)

    async def _watch(self, watched: Watched) -> None:
        loop = asyncio.get_running_loop()
        stop = self._stopping
        folders = told(watched.root.path, stop)
        if watched.poll_seconds > 0:
            folders = found(self._roots, watched, stop)
        while True:
            folder = await loop.run_in_executor(self._threads, next, folders, None)
            if folder is None:
                return
            await self._train(watched, folder)

    async def _train(self, watched: Watched, folder: Path) -> None:
        """Train a folder of a root, or the nearest one above it that is there, and wait for it."""
        while not (watched.root.path / folder).is_dir() and folder != Path():
            folder = folder.parent
        request = TrainRequest(
            path=str(folder),
            root=watched.root.name,
            collection=watched.collection,
            prune=watched.prune,
        )
        job = await patiently(
            start_folder_job, self._catalogue, self._roots, self._computed, request
        )
        _log.info("training %s of %s, which is watched", folder, watched.root.name)
        self._on_job()
        await self._end_of(job)

    async def _end_of(self, job: JobRecord) -> None:
        """Wait for a job; changes gather in the meantime, instead of one job for each."""
        while True:
            with suppress(*CATALOGUE_TROUBLE):
                now = await asyncio.to_thread(self._catalogue.jobs.get, job.id)
                if now.state.is_final:
                    return
            await asyncio.sleep(_LOOK_AGAIN_SECONDS)


def told(root: Path, stop: threading.Event) -> Iterator[Path]:
    """Folders below a root that hold what changed, as the system tells; first the root itself.

    Args:
        root: What is watched.
        stop: Ends it.

    Raises:
        OSError: The root is not there, or another one is mounted in its place.
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
            raise OSError(f"{root} is another folder now, as after a disk was mounted there")
        if is_first:  # it listens by now, so what changes while all is trained is not missed
            is_first = False
            yield Path()
        if changes:
            yield _folder_of({Path(path) for _, path in changes}, root)


def _identity(root: Path) -> tuple[int, int]:
    there = root.stat()
    return there.st_dev, there.st_ino


def found(roots: ImageRoots, watched: Watched, stop: threading.Event) -> Iterator[Path]:
    """The root, first at once and then whenever its list of files is another one.

    For file systems that do not tell, such as those of a network.

    Args:
        roots: Where it is walked.
        watched: Which root, and how often it is looked at.
        stop: Ends it.

    Raises:
        LookalikeError: The root cannot be read.
    """
    before = _digest_of_list(roots, watched, stop)
    yield Path()
    while not stop.wait(watched.poll_seconds):
        now = _digest_of_list(roots, watched, stop)
        if now != before:
            before = now
            yield Path()


def _digest_of_list(roots: ImageRoots, watched: Watched, stop: threading.Event) -> bytes:
    digest = hashlib.sha256()
    located = roots.locate(".", watched.root.name)
    for file in roots.walk(located, recursive=True, ignore=()):
        if stop.is_set():
            break
        digest.update(os.fsencode(f"{file.path}\0{file.size}\0{file.mtime_ns}\0"))
    return digest.digest()


def _folder_of(paths: Iterable[Path], root: Path) -> Path:
    """The deepest folder below a root that holds all of some paths, as a path below the root."""
    folders = [path.parent for path in paths if path.is_relative_to(root) and path != root]
    if not folders:
        return Path()
    common = Path(os.path.commonpath(folders))
    return common.relative_to(root) if common.is_relative_to(root) else Path()
