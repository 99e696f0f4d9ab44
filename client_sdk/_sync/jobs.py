# Generated from client_sdk/_async/jobs.py by `make sync`; edit that file instead.
"""Jobs: starting them, and what can be done with one."""

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
    """A job as a client returns it, with the methods that watch, end and repeat it.

    It is frozen and shows the job at the moment of the call; `refresh` returns a newer one. It is
    equal to a `Job` with the same fields, and becomes one when it is pickled.
    """

    _connection: Connection | None = PrivateAttr(default=None)

    @classmethod
    def of(cls, job: Job, connection: Connection) -> Self:
        """Return a job, bound to the connection that it came from."""
        handle = cls.model_validate(job.model_dump(exclude_unset=True))
        handle._connection = connection
        return handle

    def refresh(self) -> Self:
        """Return the same job as it is now."""
        return self._asked(get(job_path(self), Job))

    def wait(
        self,
        *,
        timeout: float = 600.0,
        interval: float = 0.2,
        on_progress: Callable[[Job], object] | None = None,
        progress: bool = False,
    ) -> Self:
        """Wait until the job is completed. A service that is away for a moment does no harm.

        Args:
            timeout: Seconds to wait at most.
            interval: Seconds before the second look; grows gently up to 2 s.
            on_progress: Called with the job after each look.
            progress: Whether to show the progress on stderr.

        Returns:
            The completed job; some of its files may have failed.

        Raises:
            JobFailed: If the job failed or was canceled.
            TimeoutExceeded: If it is not completed in time; the job goes on.
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
        """Follow the job: yield it as it is now, after every change, and at its end.

        A connection that breaks is opened again.

        Args:
            timeout: Seconds that the service may be away.

        Raises:
            TimeoutExceeded: If the service is away for longer.
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
        """End the job if it is not finished. What it has indexed stays; nothing more is added.

        Raises:
            Conflict: If it is completed or failed already.
        """
        return self._asked(post(job_path(self, "/cancel"), Job, is_harmless=True))

    def retry(self) -> Self:
        """Start a new job for the files that this one failed at or did not reach.

        Raises:
            Conflict: If it is not finished, or there is nothing to retry.
        """
        return self._asked(post(job_path(self, "/retry"), Job))

    def all_errors(self) -> Iterator[JobError]:
        """Walk over all files that it could not index; `errors` holds the first of them."""
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
        return self  # it is frozen, and a connection cannot be copied

    def __reduce__(self) -> tuple[Any, ...]:
        # Another process gets the job alone: the connections stay here.
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
                to one. With a manifest, the folder where its paths begin; by default they begin at
                the manifest's own folder.
            manifest: An NDJSON or CSV file of the service's machine that lists images to add and
                to delete.
            recursive: Whether to walk into subfolders.
            ignore: Patterns (`*.gif`, `drafts/`, `**/thumbs/**`) of what to leave out.
            prune: Delete images whose files are gone from the folder.
            **options: `collection` of the images; `root`, the name of the image root of a relative
                path, where the service has several; `metadata`, stored with every new image;
                `verify_bytes` (no), to read also what seems unchanged; `dry_run` (no), to change
                nothing and report what would happen to every file; `idempotency_key`: the same
                call again under this key, within 24 hours, returns the job of the first call.

        Returns:
            The job as it was accepted; `wait` waits for its end.

        Raises:
            UsageError: If neither path nor manifest is named, or an option cannot be used.
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
        """Send pictures to be indexed. Files are read while they are sent, one after the other.

        A zip or tar archive (.gz, .bz2, .xz, .zst) stands for the pictures in it.

        Args:
            images: One picture or archive, or many, in one request.
            collection: The collection of the images.
            metadata: Stored with every image of this call.
            idempotency_key: As for `train`.

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
        """Send a manifest of files under an image root, to add and to delete.

        Args:
            manifest: A path, bytes, `(name, bytes)` or a file opened in binary mode.
            path: The folder where its paths begin; by default the image root.
            **options: As for `train`.

        Raises:
            UsageError: If the manifest or an option cannot be used.
            OSError: If the file cannot be read.
        """
        return self._started(calls.upload_manifest(manifest, path, options))

    def job(self, job: Job | str | None = None) -> JobHandle:
        """Return a job by its id, or the newest one.

        Before the first job, the newest one has the state `idle` and the id `None`.
        """
        return self._started(get("/process" if job is None else job_path(job), Job))

    def jobs(
        self,
        *,
        state: JobState | str | Iterable[JobState | str] = (),
        collection: str | None = None,
    ) -> Iterator[JobHandle]:
        """Walk over the jobs, newest first.

        Args:
            state: Only jobs in this state, or in one of these.
            collection: Only jobs of this collection.
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
        """Start to describe the images of a collection again; searches go on meanwhile.

        Args:
            name: The collection.
            descriptor: The name of the new descriptor; by default the service's choice.
            drop_missing: Delete images whose originals are gone, instead of not switching.
            idempotency_key: As for `train`.
        """
        body = given(descriptor=descriptor, drop_missing=drop_missing)
        headers = calls.key_header(idempotency_key)
        return self._started(post(calls.reindex_path(name), Job, body, headers=headers))

    def undo_reindex(self, name: str) -> Collection:
        """Let searches use the former descriptors again; a second call reverts the first."""
        return self._connection.send(post(calls.reindex_path(name, "/undo"), Collection))

    def forget_reindex(self, name: str) -> None:
        """Give up a reindex that is not finished, and drop the former descriptors."""
        self._connection.send(api("DELETE", calls.reindex_path(name), nothing))

    def _started(self, call: Call[Job]) -> JobHandle:
        return JobHandle.of(self._connection.send(call), self._connection)
