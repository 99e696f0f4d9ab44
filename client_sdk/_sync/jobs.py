# Generated from client_sdk/_async/jobs.py by `make sync`; edit that file instead.
"""Jobs: starting, finding, watching, cancelling and retrying them."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from pathlib import PurePath
from typing import Any, Self, Unpack

from pydantic import PrivateAttr

from client_sdk._arguments import text_or_texts
from client_sdk._calls import jobs as calls
from client_sdk._calls.call import Call, api, get, given, nothing, post
from client_sdk._calls.jobs import TrainKeywords, identify, job_path
from client_sdk._calls.pictures import Picture, to_parts
from client_sdk._progress import watched
from client_sdk._sync.connection import Connection
from client_sdk._transport.events import Following
from client_sdk._transport.polling import Patience, is_complete, standing
from client_sdk.errors import LookalikeError, UsageError
from client_sdk.schemas import (
    DEFAULT_COLLECTION,
    Collection,
    Job,
    JobError,
    JobErrorList,
    JobList,
    JobState,
)


class JobHandle(Job):
    """A job with methods that watch, cancel and retry it.

    It is immutable and has the state of the job when it was returned; `refresh` returns the current
    state. It equals a `Job` with the same fields, and is pickled as a `Job`.
    """

    _connection: Connection | None = PrivateAttr(default=None)

    @classmethod
    def of(cls, job: Job, connection: Connection) -> Self:
        """Return a job that is bound to a connection."""
        handle = cls.model_validate(job.model_dump(exclude_unset=True))
        handle._connection = connection
        return handle

    def refresh(self) -> Self:
        """Return the current state of the job."""
        return self._asked(get(job_path(self), Job))

    def wait(
        self,
        *,
        timeout: float = 600.0,
        interval: float = 0.2,
        on_progress: Callable[[Job], object] | None = None,
        progress: bool = False,
    ) -> Self:
        """Wait until the job is completed; temporary failures of the service are retried.

        Args:
            timeout: The longest wait, in seconds.
            interval: Seconds between the first two polls; the pauses grow up to 2 s.
            on_progress: A function to call with the job after each poll.
            progress: If true, show the progress on stderr.

        Returns:
            The completed job; some of its files may have failed.

        Raises:
            JobFailed: If the job failed or was canceled.
            TimeoutExceeded: If the job is not completed in time; it continues to run.
        """
        patience = Patience(timeout=timeout, interval=interval)
        job_id, seen = identify(self), None
        call = get("/process", Job, job=job_id)
        with watched(on_progress, shown=progress) as look:
            while True:
                missed: LookalikeError | None = None
                try:
                    job = self._sender.send(call, patience.request_seconds)
                except LookalikeError as error:
                    missed = error
                else:
                    seen = self.of(job, self._sender)
                    look(seen)
                    if is_complete(seen):
                        return seen
                time.sleep(patience.pause(standing(job_id, seen), missed))

    def events(
        self,
        *,
        timeout: float = 60.0,
    ) -> Iterator[Self]:
        """Yield the job now, after every change, and at its end.

        A broken connection is opened again.

        Args:
            timeout: The longest time without an answer of the service, in seconds.

        Raises:
            TimeoutExceeded: If the service does not answer for longer.
        """
        headers = {"Accept": "text/event-stream", "Cache-Control": "no-store"}
        call = api("GET", job_path(self, "/events"), nothing, headers=headers)
        following = Following(identify(self), timeout)
        while not following.is_over:
            missed: LookalikeError | None = None
            try:
                with closing(self._sender.events(call, following.begin)) as events:
                    for event in events:
                        for job in following.read(event):
                            yield self.of(job, self._sender)
            except LookalikeError as error:
                missed = error
            if not following.is_over:
                time.sleep(following.pause(missed))

    def cancel(self) -> Self:
        """Cancel an unfinished job; images that it has indexed stay.

        Raises:
            Conflict: If the job is already completed or failed.
        """
        return self._asked(post(job_path(self, "/cancel"), Job, is_harmless=True))

    def retry(self) -> Self:
        """Start a new job for the failed and unreached files of this one.

        Raises:
            Conflict: If the job is not finished, or has nothing to retry.
        """
        return self._asked(post(job_path(self, "/retry"), Job))

    def all_errors(self) -> Iterator[JobError]:
        """Yield all files that the job could not index; `errors` has only the first of them."""
        first = get(job_path(self, "/errors"), JobErrorList, limit=100)
        for page in self._sender.pages(first):
            for error in page.errors:
                yield error

    @property
    def _sender(self) -> Connection:
        if self._connection is None:
            raise UsageError(f"job {self.id} came from no client; ask one for it: client.job(...)")
        return self._connection

    def _asked(self, call: Call[Job]) -> Self:
        return self.of(self._sender.send(call), self._sender)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Job):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in Job.model_fields)

    __hash__ = Job.__hash__

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Self:
        return self  # a handle is immutable, and a connection cannot be copied

    def __reduce__(self) -> tuple[Any, ...]:
        # A connection cannot be pickled.
        return Job.model_validate, (self.model_dump(),)


class JobCalls:
    """The methods of `Client` that start and find jobs."""

    _connection: Connection

    def train(
        self,
        path: str | PurePath | None = None,
        *,
        manifest: str | PurePath | None = None,
        recursive: bool = True,
        ignore: str | Iterable[str] = (),
        prune: bool = False,
        **options: Unpack[TrainKeywords],
    ) -> JobHandle:
        """Start to index a file or a folder that the service can read, or to apply a manifest.

        Files that did not change since they were indexed are not read again.

        Args:
            path: The path on the service's machine: absolute and under an image root, or relative
                to one. With a manifest, the folder to which its paths are relative; by default the
                manifest's own folder.
            manifest: The path, on the service's machine, of an NDJSON or CSV file that lists images
                to add and to delete.
            recursive: If true, include subfolders.
            ignore: Patterns of files and folders to skip, such as `*.gif`, `drafts/` or
                `**/thumbs/**`.
            prune: If true, delete images whose files are gone from the folder.
            **options: Each with its default in parentheses: `collection` of the images
                (`default`); `root`, the name of the image root of a relative path, required if the
                service has several; `metadata`, stored with every new image (none);
                `verify_bytes`, read also files that seem unchanged (no); `dry_run`, change
                nothing and report what would happen to every file (no); `idempotency_key`: a
                second call with the same key within 24 hours returns the job of the first one (a
                new key for each call).

        Returns:
            The accepted job; its `wait` waits for its end.

        Raises:
            UsageError: If neither `path` nor `manifest` is given, or an option cannot be used.
        """
        fields = given(
            path=calls.posix("path", path),
            manifest=calls.posix("manifest", manifest),
            recursive=recursive,
            ignore=text_or_texts("ignore", ignore, "patterns, such as `*.gif`"),
            prune=prune or None,
        )
        return self._started(calls.train(fields, options))

    def upload(
        self,
        images: Picture | Iterable[Picture],
        *,
        collection: str = DEFAULT_COLLECTION,
        metadata: Mapping[str, Any] | None = None,
        idempotency_key: str | None = None,
    ) -> JobHandle:
        """Send pictures and start to index them.

        All are sent in one request. Each file is open only while it is sent. A zip or tar archive
        (.gz, .bz2, .xz, .zst) is unpacked, and the pictures in it are indexed.

        Args:
            images: One picture or archive, or several.
            collection: The collection of the images.
            metadata: Metadata to store with every image of this call.
            idempotency_key: The same as in `train`.

        Raises:
            UsageError: If there is no picture, or an argument cannot be used.
            OSError: If a file cannot be read.
        """
        call = calls.upload(
            to_parts("files", images),
            collection=collection,
            metadata=metadata,
            idempotency_key=idempotency_key,
        )
        return self._started(call)

    def upload_manifest(
        self,
        manifest: Picture,
        *,
        path: str | PurePath | None = None,
        **options: Unpack[TrainKeywords],
    ) -> JobHandle:
        """Send a manifest and start to apply it: it lists files under an image root.

        Args:
            manifest: The manifest: a path, bytes, `(name, bytes)` or a file opened in binary mode.
            path: The folder to which its paths are relative; by default the image root.
            **options: The same as in `train`.

        Raises:
            UsageError: If the manifest or an option cannot be used.
            OSError: If the file cannot be read.
        """
        return self._started(calls.upload_manifest(manifest, path, options))

    def job(self, job: Job | str | None = None) -> JobHandle:
        """Return a job by its id; without an id, the newest job.

        Before the first job, this is a job with the state `idle` and the id `None`.
        """
        return self._started(get("/process" if job is None else job_path(job), Job))

    def jobs(
        self,
        *,
        state: JobState | str | Iterable[JobState | str] = (),
        collection: str | None = None,
    ) -> Iterator[JobHandle]:
        """Yield the jobs, newest first.

        Args:
            state: Yield only jobs in this state, or in one of these states.
            collection: Yield only jobs of this collection.
        """
        states = text_or_texts("state", state, "states, such as `failed`")
        first = get("/jobs", JobList, state=states or None, collection=collection, limit=100)
        for page in self._connection.pages(first):
            for job in page.jobs:
                yield JobHandle.of(job, self._connection)

    def reindex(
        self,
        name: str,
        descriptor: str | None = None,
        *,
        drop_missing: bool = False,
        idempotency_key: str | None = None,
    ) -> JobHandle:
        """Start to describe all images of a collection again; searches continue to work.

        Args:
            name: The collection.
            descriptor: The name of the new descriptor; by default the service chooses.
            drop_missing: If true, delete images whose originals are gone. Otherwise such an image
                prevents the switch to the new descriptors.
            idempotency_key: The same as in `train`.
        """
        body = given(descriptor=descriptor, drop_missing=drop_missing)
        headers = calls.key_header(idempotency_key)
        return self._started(post(calls.reindex_path(name), Job, body, headers=headers))

    def undo_reindex(self, name: str) -> Collection:
        """Switch searches back to the former descriptors; a second call reverts the first."""
        return self._connection.send(post(calls.reindex_path(name, "/undo"), Collection))

    def forget_reindex(self, name: str) -> None:
        """Cancel an unfinished reindex, and drop the former descriptors."""
        self._connection.send(api("DELETE", calls.reindex_path(name), nothing))

    def _started(self, call: Call[Job]) -> JobHandle:
        return JobHandle.of(self._connection.send(call), self._connection)
