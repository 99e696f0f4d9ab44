"""Starting jobs and following them, asynchronously."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import aclosing
from pathlib import PurePath
from typing import Any, Unpack

from client_sdk import _job_contract as contract
from client_sdk._async_connection import AsyncConnection
from client_sdk._events import Following
from client_sdk._job_contract import TrainKeywords
from client_sdk._job_handles import AsyncJobHandle
from client_sdk._pictures import Picture
from client_sdk._polling import Patience, is_complete, standing
from client_sdk._progress import watched
from client_sdk.errors import LookalikeError
from client_sdk.schemas import DEFAULT_COLLECTION, Collection, Job, JobError, JobState


class AsyncJobCalls(AsyncConnection):
    """The methods of `AsyncClient` that start jobs and that are about jobs."""

    async def train(
        self,
        path: str | PurePath,
        *,
        recursive: bool = True,
        ignore: str | Iterable[str] = (),
        prune: bool = False,
        **options: Unpack[TrainKeywords],
    ) -> AsyncJobHandle:
        """Start to index a file or a folder that the service can read."""
        call = contract.train(path, recursive=recursive, ignore=ignore, prune=prune, **options)
        return self._handle(await self._send(call))

    async def train_manifest(
        self,
        manifest: str | PurePath,
        *,
        path: str | PurePath | None = None,
        **options: Unpack[TrainKeywords],
    ) -> AsyncJobHandle:
        """Start to work off a manifest that the service can read."""
        return self._handle(
            await self._send(contract.train_manifest(manifest, path=path, **options))
        )

    async def upload_manifest(
        self,
        manifest: Picture,
        *,
        path: str | PurePath | None = None,
        **options: Unpack[TrainKeywords],
    ) -> AsyncJobHandle:
        """Send a manifest of pictures under an image root, to add and to delete."""
        return self._handle(
            await self._send(contract.upload_manifest(manifest, path=path, **options))
        )

    async def upload(
        self,
        images: Picture | Iterable[Picture],
        *,
        collection: str = DEFAULT_COLLECTION,
        metadata: Mapping[str, Any] | None = None,
        idempotency_key: str | None = None,
    ) -> AsyncJobHandle:
        """Send pictures to be indexed."""
        call = contract.upload(
            images, collection=collection, metadata=metadata, idempotency_key=idempotency_key
        )
        return self._handle(await self._send(call))

    async def process(self, job: Job | str | None = None) -> AsyncJobHandle:
        """How far a job has come: the newest one, or the one that is named."""
        return self._handle(await self._send(contract.process(job)))

    async def wait(
        self,
        job: Job | str,
        *,
        timeout: float = 600.0,  # noqa: ASYNC109 - as in `Client`; the last look is given time
        interval: float = 0.2,
        on_progress: Callable[[Job], object] | None = None,
        progress: bool = False,
    ) -> AsyncJobHandle:
        """Wait until a job is completed."""
        patience = Patience(timeout=timeout, interval=interval)
        job_id, seen = contract.identify(job), None
        with watched(on_progress, shown=progress) as look:
            while True:
                missed: LookalikeError | None = None
                try:
                    told = await self._send(contract.process(job_id), patience.request_seconds)
                except LookalikeError as error:
                    missed = error
                else:
                    seen = self._handle(told)
                    look(seen)
                    if is_complete(seen):
                        return seen
                await asyncio.sleep(patience.pause(standing(job_id, seen), missed))

    async def jobs(
        self,
        *,
        state: JobState | str | Iterable[JobState | str] = (),
        collection: str | None = None,
    ) -> AsyncIterator[AsyncJobHandle]:
        """Walk over the jobs, newest first: all, or those in some states or of a collection."""
        async for page in self._pages(contract.jobs(state=state, collection=collection)):
            for job in page.jobs:
                yield self._handle(job)

    async def job(self, job: Job | str) -> AsyncJobHandle:
        """One job."""
        return self._handle(await self._send(contract.job(job)))

    async def job_errors(self, job: Job | str) -> AsyncIterator[JobError]:
        """Walk over all files that a job could not index."""
        async for page in self._pages(contract.job_errors(job)):
            for error in page.errors:
                yield error

    async def cancel(self, job: Job | str) -> AsyncJobHandle:
        """End a job that is not finished. What it has indexed stays; nothing more is added."""
        return self._handle(await self._send(contract.cancel(job)))

    async def retry(self, job: Job | str) -> AsyncJobHandle:
        """Try again what a finished job failed at or did not reach, as a new job."""
        return self._handle(await self._send(contract.retry(job)))

    async def events(
        self,
        job: Job | str,
        *,
        timeout: float = 60.0,  # noqa: ASYNC109 - as in `Client`; of the service's absence
    ) -> AsyncIterator[AsyncJobHandle]:
        """Follow a job: as it is now, whenever it has changed, and at its end."""
        call = contract.events(job)
        following = Following(contract.identify(job), timeout)
        while not following.is_over:
            missed: LookalikeError | None = None
            try:
                async with aclosing(self._stream(call, following.begin)) as pieces:
                    async for piece in pieces:
                        for news in following.read(piece):
                            yield self._handle(news)
            except LookalikeError as error:
                missed = error
            if not following.is_over:
                await asyncio.sleep(following.pause(missed))

    async def reindex(
        self,
        name: str,
        descriptor: str | None = None,
        *,
        drop_missing: bool = False,
        idempotency_key: str | None = None,
    ) -> AsyncJobHandle:
        """Start to describe the images of a collection anew; searches go on meanwhile."""
        call = contract.reindex(
            name, descriptor, drop_missing=drop_missing, idempotency_key=idempotency_key
        )
        return self._handle(await self._send(call))

    async def undo_reindex(self, name: str) -> Collection:
        """Let searches use the former descriptors again; a second time takes that back."""
        return await self._send(contract.undo_reindex(name))

    async def forget_reindex(self, name: str) -> None:
        """Give up a reindex that is not finished, and drop the former descriptors."""
        await self._send(contract.forget_reindex(name))

    def _handle(self, job: Job) -> AsyncJobHandle:
        return AsyncJobHandle.of(job, self)
