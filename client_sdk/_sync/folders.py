# Generated from client_sdk/_async/folders.py by `make sync`; edit that file instead.
"""The upload of a folder, with a limited number of parallel requests."""

import os
from collections import deque

from client_sdk._calls.call import get
from client_sdk._calls.images import known
from client_sdk._calls.jobs import upload
from client_sdk._calls.pictures import Part
from client_sdk._folder import plan
from client_sdk._folder.plan import FolderOptions
from client_sdk._folder.report import FailedFile, FolderFile, UploadReport, counted, failure_of
from client_sdk._folder.workers import each
from client_sdk._sync.connection import Connection
from client_sdk._sync.jobs import JobHandle
from client_sdk.errors import CollectionNotFound, JobFailed, LookalikeError
from client_sdk.schemas import Info

_Sent = tuple[JobHandle, list[FolderFile]]


class FolderUpload:
    """One upload of a folder; see `Client.upload_folder`."""

    def __init__(self, connection: Connection, options: FolderOptions) -> None:
        self._connection = connection
        self._options = options
        self._open: deque[_Sent] = deque()

    def run(self, folder: str | os.PathLike[str]) -> UploadReport:
        """Send the files that the service does not have, and return a report on all files."""
        with counted(shown=self._options.progress) as self._tally:
            files = plan.steps(plan.files_of(folder, self._options, self._tally))
            info = self._connection.send(get("/info", Info))
            while step := next(files, None):
                wanted = self._unknown(step) if self._options.skip_known else step
                batches = plan.batches(wanted, self._options, info, self._tally)
                for sent in each(self._send, batches, self._options.concurrency):
                    self._open.extend(sent)
                self._finish(4 * self._options.concurrency)
            self._finish(0)
        return self._tally.report

    def _unknown(self, files: list[FolderFile]) -> list[FolderFile]:
        read = self._digested(files)
        return plan.to_send(read, self._known(plan.digests_of(read)), self._tally)

    def _digested(self, files: list[FolderFile]) -> list[FolderFile | FailedFile]:
        return each(plan.digested, files, self._options.concurrency)

    def _known(self, digests: list[str]) -> set[str]:
        call = known(digests, collection=self._options.collection)
        try:
            return set(self._connection.send(call).known)
        except CollectionNotFound:  # the first upload creates it
            return set()

    def _send(self, batch: list[FolderFile]) -> list[_Sent]:
        """Send files in one request; if it is rejected because of a file, send each half alone."""
        call = upload(
            tuple(Part("files", file.name, file.path) for file in batch),
            collection=self._options.collection,
            metadata=self._options.metadata,
        )
        try:
            job = self._connection.send(call)
        except (LookalikeError, OSError) as error:
            if not plan.is_about_files(error):
                raise
            if len(batch) > 1:
                half = len(batch) // 2
                return [*self._send(batch[:half]), *self._send(batch[half:])]
            self._tally.add(failed=(failure_of(batch[0].name, error),))
            return []
        size = sum(file.size for file in batch)
        self._tally.add(sent=len(batch), bytes_sent=size, jobs=(job.id,))
        handle = JobHandle.of(job, self._connection)
        return [(handle, batch)] if self._options.wait else []

    def _finish(self, most: int) -> None:
        """Wait for the oldest jobs until at most `most` are unfinished."""
        while len(self._open) > most:
            job, batch = self._open.popleft()
            try:
                ended = job.wait(timeout=self._options.timeout)
            except JobFailed as error:
                read = self._digested(batch)
                held = self._known(plan.digests_of(read))
                self._tally.broken(error, plan.names_without(read, held))
            else:
                self._tally.done(ended, [error for error in ended.all_errors()])
