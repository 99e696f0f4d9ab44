"""Walks of folders and manifests, which fill the lists of their jobs."""

import asyncio
import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import islice, takewhile

from bento_service.catalogue import Catalogue
from bento_service.catalogue.jobs.records import JobRecord
from bento_service.errors import LookalikeError
from bento_service.ingest.worker.job_lists import Lists
from bento_service.ingest.worker.pruning import prune
from bento_service.ingest.worker.waiting import Waits
from bento_service.storage.image_roots import ImageRoots
from bento_service.storage.skips import Skips
from bento_service.storage.uploads import Uploads

_ROWS_A_STEP = 500
_AT_ONCE = 8
_LOOK_AGAIN_SECONDS = 0.2
_LEASE_LOOK_SECONDS = 2.0
_log = logging.getLogger(__name__)


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
        waits: Waits,
        *,
        replica: Callable[[], int],
        on_step: Callable[[], object],
    ) -> None:
        """Create the threads; no walk has begun yet.

        `replica` returns the number of the replica that walks. `on_step` is called on the event
        loop when a list has grown and when a walk has ended.
        """
        self._catalogue = catalogue
        self._roots = roots
        self._lists = Lists(catalogue, roots, uploads)
        self._waits = waits
        self._replica = replica
        self._on_step = on_step
        # Separate threads, since the event loop has few and searches need them.
        self._threads = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="walk")
        self._begun: dict[int, _Walk] = {}

    def begin(self, job: JobRecord) -> None:
        """Start the walk of a job, unless it is running or done."""
        if _has_work(job) and job.number not in self._begun:
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
        """Stream a folder's files into the job's list, unless another replica does so."""
        loop = asyncio.get_running_loop()

        def step() -> None:
            loop.call_soon_threadsafe(self._on_step)

        try:
            job = await self._leased(job, unwanted)
            if not job.walked:
                await self._waits.until_available(
                    self._list_files, job, unwanted, step, executor=self._threads
                )
            if job.prune and not unwanted.is_set():
                await self._prune(job, unwanted)
        except LookalikeError as error:
            await self._waits.until_available(self._catalogue.jobs.fail, job.number, str(error))
        except OSError as error:
            detail = f"the folder cannot be read: {error.strerror}"
            await self._waits.until_available(self._catalogue.jobs.fail, job.number, detail)
        self._on_step()

    async def _leased(self, job: JobRecord, unwanted: threading.Event) -> JobRecord:
        """Return a job whose walk is leased, or has ended in another replica.

        Wait while another replica has the lease, which it loses when it ends.
        """
        leases = self._catalogue.leases
        while not unwanted.is_set():
            is_ours = await self._waits.until_available(
                partial(leases.take_walk, job.number, replica=self._replica()),
                executor=self._threads,
            )
            job = await self._waits.until_available(
                self._catalogue.jobs.get, job.id, executor=self._threads
            )
            if is_ours or not _has_work(job):
                break
            await asyncio.sleep(_LEASE_LOOK_SECONDS)
        return job

    def _list_files(
        self, job: JobRecord, unwanted: threading.Event, on_step: Callable[[], object]
    ) -> None:
        skips = Skips()
        # Checked before every file, since a slow folder can take long to yield one.
        files = takewhile(lambda _: not unwanted.is_set(), self._lists.of(job, skips))
        while some := list(islice(files, _ROWS_A_STEP)):
            if unwanted.is_set() or not self._catalogue.jobs.add_files(job.number, some):
                return
            on_step()
        if not unwanted.is_set():
            self._catalogue.jobs.finish_walk(job.number, skips)
            for skipped in skips:
                _log.info(
                    "job %s skipped %d (%s): %s", job.id, skipped.count, skipped.code, skipped.first
                )
            self._lists.close(job)

    async def _prune(self, job: JobRecord, unwanted: threading.Event) -> None:
        """Prune after all files are indexed, since a moved file is the same image."""
        threads = self._threads
        while not unwanted.is_set():
            now = await self._waits.until_available(
                self._catalogue.jobs.get, job.id, executor=threads
            )
            if now.walked and now.done >= now.total:
                await self._waits.until_available(
                    prune, self._catalogue, self._roots, now, unwanted, executor=threads
                )
                return
            await asyncio.sleep(_LOOK_AGAIN_SECONDS)


def _has_work(job: JobRecord) -> bool:
    return not job.walked or (job.prune and job.removals_open > 0)
