"""The ingest worker: the stages decode, describe and commit, which run concurrently.

Jobs take turns of some files each, so a single picture does not wait for a long folder. A new job
has its first turn next, however many other jobs are open. The number of turns between the stages is
limited, so memory does not grow with the number of pictures. Progress is stored in the catalogue,
so a restarted worker continues with the files that are still to do. The workers of several replicas
share the files of a job by leasing a few turns at a time.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import Any

import numpy as np

from bento_service.catalogue import Catalogue
from bento_service.catalogue.jobs.records import JobRecord, Outcome
from bento_service.catalogue.records import Computed
from bento_service.catalogue.states import SourceKind
from bento_service.descriptors.describing import Describe, Descriptors
from bento_service.errors import CollectionNotFound, Conflict, NotReady
from bento_service.ingest.worker.reading import Reader, ReadPicture
from bento_service.ingest.worker.throughput import Rates
from bento_service.ingest.worker.turns import Turn
from bento_service.ingest.worker.waiting import CATALOGUE_TROUBLE, Waits
from bento_service.ingest.worker.walks import Walks
from bento_service.storage.image_roots import ImageRoots
from bento_service.storage.uploads import Uploads
from client_sdk.schemas import JobState

TURN = 8
"""Files of a job that are read and committed together; more if a batch is larger."""
LEASED_TURNS = 4
"""Turns of a job that a worker leases at once."""
UNDER_WAY = 2
"""Turns that are described at once, so that the engine never waits for the next one."""

_log = logging.getLogger(__name__)

_Reading = asyncio.Future[list[ReadPicture | Outcome]]
_Describing = asyncio.Task[list[Outcome]]


class Worker:
    """The worker on all open jobs. Start and stop it with `async with`."""

    def __init__(
        self,
        catalogue: Catalogue,
        roots: ImageRoots,
        reader: Reader,
        describe: Describe,
        *,
        uploads: Uploads,
        computed: Computed,
        replica: Callable[[], int],
        decoders: int,
        batch: int = TURN,
        on_commit: Callable[[], None],
        waits: Waits | None = None,
    ) -> None:
        """Create the queues and threads; the stages start with `async with`.

        `decoders` files are read and decoded at once, and `batch` pictures are sent to the embedder
        together. `replica` returns the number of the replica that leases files. `on_commit` is
        called after each commit, and when a list of files has grown or is complete.
        """
        self.rates = Rates()
        self._catalogue = catalogue
        self._reader = reader
        self._describe = describe
        self._computed = computed
        self._replica = replica
        self._batch = batch
        self._turn = max(TURN, batch)
        self._on_commit = on_commit
        self._waits = waits or Waits()
        self._decoders = ThreadPoolExecutor(decoders, thread_name_prefix="decode")
        self._wake = asyncio.Event()
        self._newest = 0
        self._has_newer = False
        self._walks = Walks(
            catalogue, roots, uploads, self._waits, replica=replica, on_step=self._follow_walk
        )
        self._turns: dict[int, Turn] = {}
        self._readings: set[_Reading] = set()
        self._taken: asyncio.Queue[tuple[JobRecord, _Reading]] = asyncio.Queue(1)
        self._may_describe = asyncio.Semaphore(UNDER_WAY)
        self._describing: set[_Describing] = set()
        self._described: asyncio.Queue[tuple[JobRecord, _Describing]] = asyncio.Queue(1)
        self._stages: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> "Worker":
        stages = (self._decode_stage(), self._describe_stage(), self._commit_stage())
        self._stages = [asyncio.create_task(stage) for stage in stages]
        for stage in self._stages:
            stage.add_done_callback(_log_failure)
        return self

    async def __aexit__(self, *_: object) -> None:
        waited_for: list[asyncio.Future[Any]] = [*self._stages, *self._describing, *self._readings]
        for future in waited_for:
            future.cancel()
        await asyncio.gather(*waited_for, return_exceptions=True)
        await self._walks.close()
        self._decoders.shutdown(cancel_futures=True)

    def wake(self) -> None:
        """Look for new jobs now. Call it only in the event loop's thread."""
        self._has_newer = True
        self._wake.set()

    def drop(self, job_number: int) -> None:
        """Stop the work on a closed job. Call it only in the event loop's thread."""
        self._turns.pop(job_number, None)
        self._walks.forget(job_number)
        self.rates.forget(job_number)

    @property
    def alive(self) -> bool:
        """True while every stage runs."""
        return all(not stage.done() for stage in self._stages)

    async def _decode_stage(self) -> None:
        while True:
            self._wake.clear()
            try:
                busy = await self._round()
            except CATALOGUE_TROUBLE as error:
                await self._waits.before_retry("the catalogue", error)
                continue
            if not busy:
                # In Python 3.11 wait_for can lose a cancellation, and the stop would hang.
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._waits.look_seconds):
                        await self._wake.wait()

    async def _round(self) -> bool:
        """Give every open job one turn; return true if any had work."""
        self._has_newer = False
        jobs = await asyncio.to_thread(self._catalogue.jobs.open)
        for closed in self._turns.keys() - {job.number for job in jobs}:
            self.drop(closed)
        self._newest = max((job.number for job in jobs), default=self._newest)
        busy = False
        for job in jobs:
            if self._has_newer:  # once, so that a stream of new jobs lets the round end
                busy |= await self._serve_newer()
            busy |= await self._serve(job)
        return busy

    async def _serve_newer(self) -> bool:
        """Give jobs that are newer than the round one turn; return true if any had work."""
        self._has_newer = False
        jobs = await asyncio.to_thread(self._catalogue.jobs.open, after=self._newest)
        busy = False
        for job in jobs:
            self._newest = job.number
            busy |= await self._serve(job)
        return busy

    async def _serve(self, job: JobRecord) -> bool:
        if job.number not in self._turns and not await self._admit(job):
            return False
        turn = self._turns[job.number]
        turn.job = job
        self.rates.observe(job.number, job.done - job.unchanged, time.monotonic())
        self._walks.begin(job)
        return await self._take_turn(turn)

    async def _admit(self, job: JobRecord) -> bool:
        """Begin or resume a job; return false if the running service cannot do it."""
        try:
            await asyncio.to_thread(self._check, job)
        except (CollectionNotFound, Conflict) as error:
            await asyncio.to_thread(self._catalogue.jobs.fail, job.number, str(error))
            return False
        if job.state is JobState.PENDING:
            await asyncio.to_thread(self._catalogue.jobs.start, job.number)
        self._turns[job.number] = Turn(job)
        return True

    def _follow_walk(self) -> None:
        self._wake.set()
        self._on_commit()  # a reindex without anything to describe ends with its walk

    def _check(self, job: JobRecord) -> None:
        if job.kind is not SourceKind.REINDEX:
            self._catalogue.collections.comparable(job.collection, self._computed)
            return
        target = self._catalogue.reindexes.target(job.number).space
        if target not in self._computed:
            raise Conflict(
                f"the service does not compute {target.descriptor} in {target.precision} any more; "
                f"start it with {self._computed.way_to(target)}, or reindex again"
            )

    async def _take_turn(self, turn: Turn) -> bool:
        limit, replica = self._turn * LEASED_TURNS, self._replica()
        await turn.lease(self._catalogue.leases, replica=replica, limit=limit)
        files = [turn.leased.popleft() for _ in range(min(self._turn, len(turn.leased)))]
        if not files:
            return False
        turn.in_flight += len(files)
        # Not awaited here, so that the next turn starts before the last file of this one is read.
        read = partial(
            self._waits.until_available, self._reader.read, turn.job, executor=self._decoders
        )
        reading = asyncio.gather(*map(read, files))
        self._readings.add(reading)
        reading.add_done_callback(self._readings.discard)
        await self._taken.put((turn.job, reading))
        return True

    async def _describe_stage(self) -> None:
        while True:
            await self._may_describe.acquire()
            job, reading = await self._taken.get()
            describing = asyncio.create_task(self._outcomes(job, reading))
            self._describing.add(describing)
            describing.add_done_callback(self._forget_described)
            await self._described.put((job, describing))

    def _forget_described(self, describing: _Describing) -> None:
        self._describing.discard(describing)
        self._may_describe.release()

    async def _outcomes(self, job: JobRecord, reading: _Reading) -> list[Outcome]:
        """Describe the pictures of one turn; return the outcomes of its files."""
        results = await reading
        outcomes = [result for result in results if isinstance(result, Outcome)]
        pictures = [result for result in results if isinstance(result, ReadPicture)]
        for at in range(0, len(pictures), self._batch):
            if job.number not in self._turns:  # a closed job commits nothing
                break
            some = pictures[at : at + self._batch]
            images = np.stack([read.pixels for read in some])
            described = await self._descriptors(images)
            outcomes += (
                read.described({space: rows[at] for space, rows in described.items()})
                for at, read in enumerate(some)
            )
        return outcomes

    async def _descriptors(
        self, images: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]
    ) -> Descriptors:
        while True:
            try:
                return await self._describe(images)
            except NotReady as error:
                await self._waits.before_retry("the embedder", error)

    async def _commit_stage(self) -> None:
        while True:
            job, describing = await self._described.get()
            outcomes = await describing
            turn = self._turns.get(job.number)
            await self._commit(job, outcomes)
            if turn is not None:
                turn.in_flight -= len(outcomes)
            self._on_commit()

    async def _commit(self, job: JobRecord, outcomes: list[Outcome]) -> None:
        """Commit outcomes, with retries; fail the job if its collection or space is gone."""
        try:
            await self._waits.until_available(self._catalogue.jobs.settle, job, outcomes)
        except (CollectionNotFound, Conflict) as error:
            await self._waits.until_available(self._catalogue.jobs.fail, job.number, str(error))


def _log_failure(stage: "asyncio.Task[None]") -> None:
    if not stage.cancelled() and (error := stage.exception()):
        _log.critical("ingest has stopped; restart the service", exc_info=error)
