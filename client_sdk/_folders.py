"""Sending a folder, some requests at a time."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from functools import partial
from typing import Unpack

from client_sdk import _contract
from client_sdk import _folder as folders
from client_sdk import _job_contract as contract
from client_sdk._arguments import texts
from client_sdk._folder import FolderKeywords, FolderOptions
from client_sdk._folder_report import FolderFile, Tally, UploadReport, counted
from client_sdk._job_handles import JobHandle
from client_sdk._jobs import JobCalls
from client_sdk.errors import CollectionNotFound, JobFailed, LookalikeError
from client_sdk.schemas import DEFAULT_COLLECTION, MAX_DIGESTS, Info, Job

_Sent = tuple[JobHandle, list[FolderFile]]


class FolderCalls(JobCalls):
    """The methods of `Client` that send folders."""

    def known(self, sha256: Iterable[str], *, collection: str = DEFAULT_COLLECTION) -> set[str]:
        """Which of some bytes a collection holds.

        Args:
            sha256: Digests of whole files, as hexadecimal digits in lower case.
            collection: Which collection.
        """
        calls = (
            _contract.known(some, collection=collection)
            for some in folders.steps(texts("sha256", sha256, _contract.DIGESTS), MAX_DIGESTS)
        )
        return {digest for call in calls for digest in self._send(call).known}

    def upload_folder(
        self, folder: str | os.PathLike[str], **options: Unpack[FolderKeywords]
    ) -> UploadReport:
        """Send the pictures of a folder that the service does not have yet.

        Files are read and sent some at a time, so that a folder may be of any size. Each request
        has a key of its own and may be repeated: nothing is lost or doubled, and after an
        interruption the same call goes on with the rest.

        Args:
            folder: Which one. The source of each image is its path below it.
            **options: `collection`, where the images go; `pattern`, what is meant (the usual names
                of picture files; `*` for every file), and `ignore`, what is not, both as in a
                `.gitignore`; `recursive` (yes); `metadata`, stored with every new image;
                `concurrency` (4), how many requests at once, and `batch_files` (100) and
                `batch_bytes` (32 MiB), what goes in one; `skip_known` (yes), to ask before which
                bytes the collection holds; `wait` (yes) for the jobs, each at most `timeout`
                seconds (3600); `progress` (no), to show on stderr how it stands.

        Returns:
            What became of every file. Files that failed are no error here.

        Raises:
            UsageError: If it is no folder, or an option makes no sense.
            UploadStopped: If it cannot go on, such as because the service is away for too long.
        """
        chosen = FolderOptions(**options)
        with counted(shown=chosen.progress) as tally:
            files = folders.files_of(folder, chosen, tally)
            info = self._send(_contract.info())
            sending = _Sending(self, partial(self._upload_batch, chosen), chosen, tally)
            sending.run(files, info)
        return tally.report

    def _upload_batch(self, options: FolderOptions, batch: Sequence[FolderFile]) -> JobHandle:
        call = contract.upload_parts(
            folders.parts_of(batch), collection=options.collection, metadata=options.metadata
        )
        return self._handle(self._send(call))


class _Sending:
    """One upload of a folder."""

    def __init__(
        self,
        client: FolderCalls,
        upload: Callable[[list[FolderFile]], JobHandle],
        options: FolderOptions,
        tally: Tally,
    ) -> None:
        self._client = client
        self._upload = upload
        self._options = options
        self._tally = tally
        self._sending: set[Future[list[_Sent]]] = set()
        self._open: deque[_Sent] = deque()

    def run(self, files: Iterable[FolderFile], info: Info) -> None:
        many = self._options.concurrency
        with ThreadPoolExecutor(many) as readers, ThreadPoolExecutor(many) as senders:
            for some in folders.steps(files):
                wanted = self._unknown(some, readers) if self._options.skip_known else some
                for batch in folders.batches(wanted, self._options, info, self._tally):
                    self._make_room(many - 1)
                    self._sending.add(senders.submit(self._send, batch))
            self._make_room(0)
        self._finish(0)

    def _unknown(self, files: list[FolderFile], readers: ThreadPoolExecutor) -> list[FolderFile]:
        read = list(readers.map(folders.digested, files))
        return folders.to_send(read, self._known(folders.digests_of(read)), self._tally)

    def _known(self, digests: list[str]) -> set[str]:
        try:
            return self._client.known(digests, collection=self._options.collection)
        except CollectionNotFound:  # the first upload makes it
            return set()

    def _make_room(self, most: int) -> None:
        """Wait until at most so many requests are under way."""
        while len(self._sending) > most:
            ended, self._sending = wait(self._sending, return_when=FIRST_COMPLETED)
            for one in ended:
                self._open.extend(one.result())
            self._finish(self._options.most_open)

    def _send(self, batch: list[FolderFile]) -> list[_Sent]:
        """Send some files in one request, or in several where one of the files is at fault."""
        try:
            job = self._upload(batch)
        except (LookalikeError, OSError) as error:
            if not folders.is_about_files(error):
                raise
            if len(batch) > 1:
                return [sent for half in folders.halves(batch) for sent in self._send(half)]
            self._tally.refused(batch, error)
            return []
        self._tally.accepted(batch, job)
        return [(job, batch)] if self._options.wait else []

    def _finish(self, most: int) -> None:
        """Wait for the oldest jobs until at most so many are open."""
        while len(self._open) > most:
            job, batch = self._open.popleft()
            try:
                ended: Job = self._client.wait(job, timeout=self._options.timeout)
            except JobFailed as error:
                read = [folders.digested(file) for file in batch]
                held = self._known(folders.digests_of(read))
                self._tally.broken(error, read, held)
            else:
                self._tally.done(ended, self._client.job_errors(ended))
