# Generated from client_sdk/_async/folders.py by `make sync`; edit that file instead.
"""The upload of a folder, with a limited number of parallel requests."""

import os
from collections import deque
from collections.abc import Iterable
from functools import partial

from client_sdk._arguments import json_text
from client_sdk._calls.call import Call, key_header
from client_sdk._calls.pictures import Part
from client_sdk._folder import plan
from client_sdk._folder.report import FolderFile, UploadReport, counted, failure_of
from client_sdk._sync.connection import Connection
from client_sdk._sync.handles import JobHandle
from client_sdk._transport.workers import each
from client_sdk.errors import CollectionNotFound, JobFailed, LookalikeError
from client_sdk.schemas import Info, Known

_Sent = tuple[JobHandle, list[FolderFile]]


class FolderUpload:
    """One upload of a folder; see `Client.upload_folder`."""

    def __init__(self, connection: Connection, options: plan.FolderOptions) -> None:
        self._connection = connection
        self._options = options
        self._open: deque[_Sent] = deque()

    def run(self, folder: str | os.PathLike[str]) -> UploadReport:
        """Send the files that the service does not have, and return a report on all files."""
        with counted(shown=self._options.progress) as self._tally:
            files = plan.steps(plan.Walk(folder, self._options, self._tally))
            info = self._connection.send(Call("GET", "/info", Info))
            while step := next(files, None):
                if self._options.skip_known:
                    step = self._digested(step)
                    step = plan.to_send(step, self._known(step), self._tally)
                batches = plan.batches(step, self._options, info, self._tally)
                for sent in each(self._send, batches, self._options.concurrency):
                    self._open.extend(sent)
                self._finish(4 * self._options.concurrency)
            self._finish(0)
        return self._tally.report

    def _digested(self, files: list[FolderFile]) -> list[FolderFile]:
        digested = partial(plan.digested, tally=self._tally)
        read = each(digested, files, self._options.concurrency)
        return [file for file in read if file is not None]

    def _known(self, files: Iterable[FolderFile]) -> set[str]:
        digests = [file.sha256 for file in files]
        fields = {"collection": self._options.collection, "sha256": digests}
        call = Call("POST", "/known", Known, fields=fields, is_idempotent=True)
        try:
            answer = self._connection.send(call)
        except CollectionNotFound:  # the first upload creates it
            return set()
        return set(answer.known)

    def _send(self, batch: list[FolderFile]) -> list[_Sent]:
        """Send files in one request; if it is rejected because of a file, send each half alone."""
        metadata = self._options.metadata
        text = json_text("metadata", metadata) if metadata else None
        fields = {"collection": self._options.collection, "metadata": text}
        parts = tuple(Part("files", file.name, file.path) for file in batch)
        headers = key_header(None)
        call = Call("POST", "/train", JobHandle, headers=headers, fields=fields, parts=parts)
        try:
            job = self._connection.send(call)
        except (LookalikeError, OSError) as error:
            if not plan.is_caused_by_files(error):
                raise
            if len(batch) > 1:
                half = len(batch) // 2
                return [*self._send(batch[:half]), *self._send(batch[half:])]
            self._tally.add(failed=(failure_of(batch[0].name, error),))
            return []
        size = sum(file.size for file in batch)
        self._tally.add(sent=len(batch), bytes_sent=size, jobs=(job.id,))
        return [(job, batch)] if self._options.wait else []

    def _finish(self, most: int) -> None:
        """Wait for the oldest jobs until at most `most` are unfinished."""
        while len(self._open) > most:
            job, batch = self._open.popleft()
            try:
                ended = job.wait(timeout=self._options.timeout)
            except JobFailed as error:
                batch = self._digested(batch)
                known = self._known(batch)
                missing = [file.name for file in batch if file.sha256 not in known]
                self._tally.broken(error, missing)
            else:
                self._tally.done(ended, [error for error in ended.all_errors()])
