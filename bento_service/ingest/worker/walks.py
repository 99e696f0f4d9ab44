"""Walks of folders and manifests, which fill the lists of their jobs."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice, takewhile

from bento_service.catalogue import Catalogue
from bento_service.catalogue.jobs.records import JobRecord
from bento_service.errors import LookalikeError
from bento_service.ingest.worker.job_lists import Lists
from bento_service.ingest.worker.pruning import prune
from bento_service.ingest.worker.waiting import patiently
from bento_service.storage.image_roots import ImageRoots
from bento_service.storage.uploads import Uploads

_ROWS_A_STEP = 500
_AT_ONCE = 8
_LOOK_AGAIN_SECONDS = 0.2


@dataclass(frozen=True)
class _Walk:
    task: asyncio.Task[None]
    unwanted: threading.Event


class Walks:
    """The running walks, in threads of their own."""

    def __init__(
        self,
        catalogue: Catalogue,
        roots: ImageRoots,
        uploads: Uploads,
        *,
        on_step: Callable[[], object],
    ) -> None:
        """Create the threads; no walk has begun yet.

        Args:
            catalogue: The catalogue with the jobs' lists.
            roots: The image roots with the folders.
            uploads: The stored uploads with the manifests.
            on_step: Called on the event loop when a list has grown and when a walk has ended.
        """
        self._catalogue = catalogue
        self._roots = roots
        self._lists = Lists(catalogue, roots, uploads)
        self._on_step = on_step
        # Separate threads, since the event loop has few and searches need them.
        self._threads = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="walk")
        self._begun: dict[int, _Walk] = {}

    def begin(self, job: JobRecord) -> None:
        """Start the walk of a job, unless it is running or done."""
        has_work = not job.walked or (job.prune and job.removals_open > 0)
        if has_work and job.number not in self._begun:
            unwanted = threading.Event()
            task = asyncio.create_task(self._walk(job, unwanted))
            self._begun[job.number] = _Walk(task, unwanted)

    def forget(self, job_number: int) -> None:
        """End the walk of a job that is closed."""
        if walk := self._begun.pop(job_number, None):
            walk.unwanted.set()

    async def close(self) -> None:
        """End all walks."""
        for walk in self._begun.values():
            walk.unwanted.set()
            walk.task.cancel()
        tasks = (walk.task for walk in self._begun.values())
        await asyncio.gather(*tasks, return_exceptions=True)
        self._threads.shutdown(cancel_futures=True)

    async def _walk(self, job: JobRecord, unwanted: threading.Event) -> None:
        """Stream a folder's files into the job's list."""
        loop = asyncio.get_running_loop()

        def step() -> None:
            loop.call_soon_threadsafe(self._on_step)

        try:
            if not job.walked:
                await patiently(self._list_files, job, unwanted, step, executor=self._threads)
            if job.prune:
                await self._prune(job, unwanted)
        except LookalikeError as error:
            await patiently(self._catalogue.jobs.fail, job.number, str(error))
        except OSError as error:
            detail = f"the folder cannot be read: {error.strerror}"
            await patiently(self._catalogue.jobs.fail, job.number, detail)
        self._on_step()

    def _list_files(
        self, job: JobRecord, unwanted: threading.Event, on_step: Callable[[], object]
    ) -> None:
        # Checked before every file, since a slow folder can take long to yield one.
        files = takewhile(lambda _: not unwanted.is_set(), self._lists.of(job))
        while some := list(islice(files, _ROWS_A_STEP)):
            if unwanted.is_set() or not self._catalogue.jobs.add_files(job.number, some):
                return
            on_step()
        if not unwanted.is_set():
            self._catalogue.jobs.finish_walk(job.number)
            self._lists.close(job)

    async def _prune(self, job: JobRecord, unwanted: threading.Event) -> None:
        """Prune after all files are indexed, since a moved file is the same image."""
        threads = self._threads
        while not unwanted.is_set():
            now = await patiently(self._catalogue.jobs.get, job.id, executor=threads)
            if now.walked and now.done >= now.total:
                await patiently(
                    prune, self._catalogue, self._roots, now, unwanted, executor=threads
                )
                return
            await asyncio.sleep(_LOOK_AGAIN_SECONDS)
