"""The ingest worker: decode, describe and commit, each stage one turn ahead of the next.

Jobs take turns, some files each, so that one picture does not wait behind a long folder. Memory is
bounded by the turns between the stages, whatever the number of pictures. What has been done is
in the catalogue's rows; a worker that starts again goes on with the files that are still to do.
"""

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import islice

import numpy as np
from sqlalchemy.exc import OperationalError

from bento_service.catalogue import Catalogue
from bento_service.catalogue.records import (
    Described,
    DescriptorSpace,
    JobRecord,
    NewFile,
    Outcome,
)
from bento_service.describing import Describe
from bento_service.errors import (
    CollectionNotFound,
    Conflict,
    LookalikeError,
    NotReady,
    StorageFull,
)
from bento_service.ingest.rate import Rates
from bento_service.ingest.reading import Reader, ReadPicture
from bento_service.ingest.roots import ImageRoots
from client_sdk.schemas import JobState

BATCH = 2
"""Pictures that are described together. A query waits behind at most one batch."""
TURN = 8
"""Files of a job that are read, and later committed, together."""

_log = logging.getLogger(__name__)
_ROWS_A_WALK_STEP = 500
_WALKS_AT_ONCE = 8
_RETRY_SECONDS = 2.0
_CATALOGUE_TROUBLE = (StorageFull, OperationalError)


@dataclass
class _Taken:
    job: JobRecord
    outcomes: list[Outcome] = field(default_factory=list)
    pictures: list[ReadPicture] = field(default_factory=list)


@dataclass
class _Turn:
    """How far the worker has read one job's list."""

    job: JobRecord
    after: int = 0
    in_flight: int = 0


class Worker:
    """Works on all open jobs until it is stopped. Start it with `async with`."""

    def __init__(
        self,
        catalogue: Catalogue,
        roots: ImageRoots,
        reader: Reader,
        describe: Describe,
        *,
        space: DescriptorSpace,
        decoders: int,
        on_commit: Callable[[], None],
    ) -> None:
        """Prepare.

        Args:
            catalogue: Where jobs are and where results go.
            roots: Where folders are walked.
            reader: Reads and decodes files.
            describe: Asks the embedder.
            space: What the running model's descriptors are.
            decoders: Files that are read and decoded at once.
            on_commit: Called after each commit.
        """
        self.rates = Rates()
        self._catalogue = catalogue
        self._roots = roots
        self._reader = reader
        self._describe = describe
        self._space = space
        self._on_commit = on_commit
        self._decoders = ThreadPoolExecutor(decoders, thread_name_prefix="decode")
        # Not the event loop's own few threads, which searches need.
        self._walkers = ThreadPoolExecutor(_WALKS_AT_ONCE, thread_name_prefix="walk")
        self._stopping = threading.Event()
        self._wake = asyncio.Event()
        self._turns: dict[int, _Turn] = {}
        self._walks: dict[int, asyncio.Task[None]] = {}
        self._decoded: asyncio.Queue[_Taken] = asyncio.Queue(1)
        self._described: asyncio.Queue[_Taken] = asyncio.Queue(1)
        self._stages: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> "Worker":
        stages = (self._decode_stage(), self._describe_stage(), self._commit_stage())
        self._stages = [asyncio.create_task(stage) for stage in stages]
        for stage in self._stages:
            stage.add_done_callback(_tell_if_failed)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._stopping.set()
        tasks = [*self._stages, *self._walks.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._decoders.shutdown(cancel_futures=True)
        self._walkers.shutdown(cancel_futures=True)

    def wake(self) -> None:
        """Tell that there is a new job. Only from the event loop's thread."""
        self._wake.set()

    @property
    def alive(self) -> bool:
        """Whether every stage still runs."""
        return all(not stage.done() for stage in self._stages)

    async def _decode_stage(self) -> None:
        while True:
            self._wake.clear()
            try:
                busy = await self._round()
            except _CATALOGUE_TROUBLE as error:
                await _wait_for_the_catalogue(error)
                continue
            if not busy:
                # Python 3.11's wait_for can lose a cancellation, and the stop would hang.
                with suppress(TimeoutError):
                    async with asyncio.timeout(_RETRY_SECONDS):
                        await self._wake.wait()

    async def _round(self) -> bool:
        """Give every open job one turn; whether there was anything to do."""
        jobs = await asyncio.to_thread(self._catalogue.jobs.open)
        self._forget_closed({job.number for job in jobs})
        busy = False
        for job in jobs:
            if job.number not in self._turns and not await self._admit(job):
                continue
            turn = self._turns[job.number]
            turn.job = job
            if not job.walked and job.number not in self._walks:
                self._walks[job.number] = asyncio.create_task(self._walk(job))
            busy |= await self._take_turn(turn)
        return busy

    async def _admit(self, job: JobRecord) -> bool:
        """Begin with a job, or go on with it after a start, perhaps with another model."""
        try:
            await asyncio.to_thread(
                self._catalogue.collections.comparable, job.collection, self._space
            )
        except (CollectionNotFound, Conflict) as error:
            await asyncio.to_thread(self._catalogue.jobs.fail, job.number, str(error))
            return False
        if job.state is JobState.PENDING:
            await asyncio.to_thread(self._catalogue.jobs.start, job.number)
        self._turns[job.number] = _Turn(job)
        return True

    def _forget_closed(self, open_jobs: set[int]) -> None:
        for number in self._turns.keys() - open_jobs:
            del self._turns[number]
            self._walks.pop(number, None)

    async def _take_turn(self, turn: _Turn) -> bool:
        files = await asyncio.to_thread(
            self._catalogue.jobs.todo, turn.job.number, after=turn.after, limit=TURN
        )
        if not files:
            if turn.in_flight == 0:
                turn.after = 0  # a file can fall back to the list, behind where we have read
            return False
        loop = asyncio.get_running_loop()
        results = await asyncio.gather(
            *(
                loop.run_in_executor(self._decoders, self._reader.read, turn.job, file)
                for file in files
            )
        )
        turn.after = files[-1].id
        turn.in_flight += len(files)
        taken = _Taken(turn.job)
        for result in results:
            if isinstance(result, Outcome):
                taken.outcomes.append(result)
            else:
                taken.pictures.append(result)
        await self._decoded.put(taken)
        return True

    async def _walk(self, job: JobRecord) -> None:
        """Stream a folder's files into the job's list."""
        loop = asyncio.get_running_loop()
        wake = partial(loop.call_soon_threadsafe, self._wake.set)
        try:
            await _patiently(self._list_files, job, wake, executor=self._walkers)
        except LookalikeError as error:
            await _patiently(self._catalogue.jobs.fail, job.number, str(error))
        except OSError as error:
            detail = f"the folder cannot be read: {error.strerror}"
            await _patiently(self._catalogue.jobs.fail, job.number, detail)
        self._wake.set()

    def _list_files(self, job: JobRecord, on_step: Callable[[], object]) -> None:
        located = self._roots.locate(job.path or ".", job.root)
        paths = self._roots.walk(located, recursive=job.recursive, ignore=job.ignore)
        while some := [NewFile(path, path) for path in islice(paths, _ROWS_A_WALK_STEP)]:
            if self._stopping.is_set() or job.number not in self._turns:
                return
            self._catalogue.jobs.add_files(job.number, some)
            on_step()
        self._catalogue.jobs.finish_walk(job.number)

    async def _describe_stage(self) -> None:
        while True:
            taken = await self._decoded.get()
            for at in range(0, len(taken.pictures), BATCH):
                pictures = taken.pictures[at : at + BATCH]
                images = np.stack([read.picture.pixels for read in pictures])
                taken.outcomes += map(_described, pictures, await self._descriptors(images))
            await self._described.put(taken)

    async def _descriptors(
        self, images: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]
    ) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
        while True:
            try:
                return await self._describe(images)
            except NotReady as error:
                _log.warning("ingest waits for the embedder: %s", error)
                await asyncio.sleep(_RETRY_SECONDS)

    async def _commit_stage(self) -> None:
        while True:
            taken = await self._described.get()
            turn = self._turns.get(taken.job.number)
            await self._commit(taken)
            if turn is not None:
                turn.in_flight -= len(taken.outcomes)
            self.rates.add(taken.job.number, len(taken.outcomes), time.monotonic())
            self._on_commit()

    async def _commit(self, taken: _Taken) -> None:
        """Commit; nothing is dropped."""
        try:
            await _patiently(self._catalogue.jobs.settle, taken.job, taken.outcomes)
        except CollectionNotFound as error:
            await _patiently(self._catalogue.jobs.fail, taken.job.number, str(error))


async def _patiently(
    act: Callable[..., object], *arguments: object, executor: ThreadPoolExecutor | None = None
) -> None:
    """Call in a thread; a full disk or a lost database is waited out."""
    loop = asyncio.get_running_loop()
    while True:
        try:
            await loop.run_in_executor(executor, act, *arguments)
        except _CATALOGUE_TROUBLE as error:
            await _wait_for_the_catalogue(error)
        else:
            return


async def _wait_for_the_catalogue(error: Exception) -> None:
    _log.error("ingest waits for the catalogue: %s", error)
    await asyncio.sleep(_RETRY_SECONDS)


def _tell_if_failed(stage: "asyncio.Task[None]") -> None:
    if not stage.cancelled() and (error := stage.exception()):
        _log.critical("ingest has stopped; restart the service", exc_info=error)


def _described(
    read: ReadPicture, descriptor: np.ndarray[tuple[int, ...], np.dtype[np.float32]]
) -> Outcome:
    return Outcome(
        read.file,
        described=Described(
            sha256=read.sha256,
            format=read.picture.format,
            width=read.picture.width,
            height=read.picture.height,
            bytes=read.bytes,
            descriptor=descriptor,
        ),
    )
