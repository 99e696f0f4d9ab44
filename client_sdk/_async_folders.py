"""Sending a folder, some requests at a time, asynchronously."""

import asyncio
import os
from collections import deque
from collections.abc import Callable, Coroutine, Iterable, Sequence
from functools import partial
from typing import Any, Unpack

from client_sdk import _contract
from client_sdk import _folder as folders
from client_sdk import _job_contract as contract
from client_sdk._arguments import texts
from client_sdk._async_jobs import AsyncJobCalls
from client_sdk._folder import FolderKeywords, FolderOptions
from client_sdk._folder_report import FailedFile, FolderFile, Tally, UploadReport, counted
from client_sdk._job_handles import AsyncJobHandle
from client_sdk.errors import CollectionNotFound, JobFailed, LookalikeError
from client_sdk.schemas import DEFAULT_COLLECTION, MAX_DIGESTS, Info, Job

_Sent = tuple[AsyncJobHandle, list[FolderFile]]


class AsyncFolderCalls(AsyncJobCalls):
    """The methods of `AsyncClient` that send folders."""

    async def known(
        self, sha256: Iterable[str], *, collection: str = DEFAULT_COLLECTION
    ) -> set[str]:
        """Which of some bytes a collection holds."""
        calls = (
            _contract.known(some, collection=collection)
            for some in folders.steps(texts("sha256", sha256, _contract.DIGESTS), MAX_DIGESTS)
        )
        return {digest for call in calls for digest in (await self._send(call)).known}

    async def upload_folder(
        self, folder: str | os.PathLike[str], **options: Unpack[FolderKeywords]
    ) -> UploadReport:
        """Send the pictures of a folder that the service does not have yet."""
        chosen = FolderOptions(**options)
        with counted(shown=chosen.progress) as tally:
            files = folders.files_of(folder, chosen, tally)
            info = await self._send(_contract.info())
            sending = _Sending(self, partial(self._upload_batch, chosen), chosen, tally)
            await sending.run(files, info)
        return tally.report

    async def _upload_batch(
        self, options: FolderOptions, batch: Sequence[FolderFile]
    ) -> AsyncJobHandle:
        call = contract.upload_parts(
            folders.parts_of(batch), collection=options.collection, metadata=options.metadata
        )
        return self._handle(await self._send(call))


class _Sending:
    """One upload of a folder."""

    def __init__(
        self,
        client: AsyncFolderCalls,
        upload: Callable[[list[FolderFile]], Coroutine[Any, Any, AsyncJobHandle]],
        options: FolderOptions,
        tally: Tally,
    ) -> None:
        self._client = client
        self._upload = upload
        self._options = options
        self._tally = tally
        self._sending: set[asyncio.Task[list[_Sent]]] = set()
        self._open: deque[_Sent] = deque()

    async def run(self, files: Iterable[FolderFile], info: Info) -> None:
        several = folders.steps(files)
        try:
            while some := await asyncio.to_thread(next, several, None):
                wanted = await self._unknown(some) if self._options.skip_known else some
                for batch in folders.batches(wanted, self._options, info, self._tally):
                    await self._make_room(self._options.concurrency - 1)
                    self._sending.add(asyncio.create_task(self._send(batch)))
            await self._make_room(0)
        finally:
            await asyncio.gather(*self._sending, return_exceptions=True)
        await self._finish(0)

    async def _unknown(self, files: list[FolderFile]) -> list[FolderFile]:
        read = await _digested(files)
        return folders.to_send(read, await self._known(folders.digests_of(read)), self._tally)

    async def _known(self, digests: list[str]) -> set[str]:
        try:
            return await self._client.known(digests, collection=self._options.collection)
        except CollectionNotFound:  # the first upload makes it
            return set()

    async def _make_room(self, most: int) -> None:
        """Wait until at most so many requests are under way."""
        while len(self._sending) > most:
            ended, self._sending = await asyncio.wait(
                self._sending, return_when=asyncio.FIRST_COMPLETED
            )
            for one in ended:
                self._open.extend(one.result())
            await self._finish(self._options.most_open)

    async def _send(self, batch: list[FolderFile]) -> list[_Sent]:
        """Send some files in one request, or in several where one of the files is at fault."""
        try:
            job = await self._upload(batch)
        except (LookalikeError, OSError) as error:
            if not folders.is_about_files(error):
                raise
            if len(batch) > 1:
                first, second = folders.halves(batch)
                return [*await self._send(first), *await self._send(second)]
            self._tally.refused(batch, error)
            return []
        self._tally.accepted(batch, job)
        return [(job, batch)] if self._options.wait else []

    async def _finish(self, most: int) -> None:
        """Wait for the oldest jobs until at most so many are open."""
        while len(self._open) > most:
            job, batch = self._open.popleft()
            try:
                ended: Job = await self._client.wait(job, timeout=self._options.timeout)
            except JobFailed as error:
                read = await _digested(batch)
                held = await self._known(folders.digests_of(read))
                self._tally.broken(error, read, held)
            else:
                failed = [one async for one in self._client.job_errors(ended)]
                self._tally.done(ended, failed)


async def _digested(files: Iterable[FolderFile]) -> list[FolderFile | FailedFile]:
    return await asyncio.gather(*(asyncio.to_thread(folders.digested, file) for file in files))
