"""Starting jobs and following them."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from pathlib import PurePath
from typing import Any, Unpack

from client_sdk import _job_contract as contract
from client_sdk._connection import Connection
from client_sdk._events import Following
from client_sdk._job_contract import TrainKeywords
from client_sdk._job_handles import JobHandle
from client_sdk._pictures import Picture
from client_sdk._polling import Patience, is_complete, standing
from client_sdk._progress import watched
from client_sdk.errors import LookalikeError
from client_sdk.schemas import DEFAULT_COLLECTION, Collection, Job, JobError, JobState


class JobCalls(Connection):
    """The methods of `Client` that start jobs and that are about jobs."""

    def train(
        self,
        path: str | PurePath,
        *,
        recursive: bool = True,
        ignore: str | Iterable[str] = (),
        prune: bool = False,
        **options: Unpack[TrainKeywords],
    ) -> JobHandle:
        """Start to index a file or a folder that the service can read.

        Files that did not change since they were indexed are not read again.

        Args:
            path: As the service sees it: absolute and under an image root, or relative to one.
            recursive: Whether to walk into the folders below.
            ignore: Patterns (`*.gif`, `drafts/`, `**/thumbs/**`) of what to leave out.
            prune: Delete images whose files are gone from the folder.
            **options: `collection`, where the images go; `root`, name of the image root of a
                relative path, where the service has several; `metadata`, stored with every new
                image; `verify_bytes` (no), to read also what seems unchanged; `dry_run` (no), to
                change nothing and be told what would become of every file; `idempotency_key`:
                the same call again under this key, within 24 hours, is answered with the job
                that the first one started.

        Returns:
            The job as it was accepted; its method `wait` waits for its end.
        """
        call = contract.train(path, recursive=recursive, ignore=ignore, prune=prune, **options)
        return self._handle(self._send(call))

    def train_manifest(
        self,
        manifest: str | PurePath,
        *,
        path: str | PurePath | None = None,
        **options: Unpack[TrainKeywords],
    ) -> JobHandle:
        """Start to work off a manifest that the service can read: pictures to add and to delete.

        Args:
            manifest: An NDJSON or CSV file, as the service sees it.
            path: The folder where its paths begin; else they begin at the manifest's own.
            **options: As for `train`.
        """
        return self._handle(self._send(contract.train_manifest(manifest, path=path, **options)))

    def upload_manifest(
        self,
        manifest: Picture,
        *,
        path: str | PurePath | None = None,
        **options: Unpack[TrainKeywords],
    ) -> JobHandle:
        """Send a manifest of pictures under an image root, to add and to delete.

        Args:
            manifest: A path, bytes, `(name, bytes)` or a file opened in binary mode.
            path: The folder where its paths begin; else they begin at the image root.
            **options: As for `train`.

        Raises:
            UsageError: If it is nothing of that kind.
            OSError: If the file cannot be read.
        """
        return self._handle(self._send(contract.upload_manifest(manifest, path=path, **options)))

    def upload(
        self,
        images: Picture | Iterable[Picture],
        *,
        collection: str = DEFAULT_COLLECTION,
        metadata: Mapping[str, Any] | None = None,
        idempotency_key: str | None = None,
    ) -> JobHandle:
        """Send pictures to be indexed. Files are read while they travel, one after the other.

        A zip or tar archive (.gz, .bz2, .xz, .zst) stands for the pictures in it.

        Args:
            images: One picture or archive, or many, in one request.
            collection: Where the images go.
            metadata: Stored with every image of this call.
            idempotency_key: As for `train`.

        Raises:
            UsageError: If there is no picture, or something is none.
            OSError: If a file cannot be read.
        """
        call = contract.upload(
            images, collection=collection, metadata=metadata, idempotency_key=idempotency_key
        )
        return self._handle(self._send(call))

    def process(self, job: Job | str | None = None) -> JobHandle:
        """How far a job has come: the newest one, or the one that is named.

        Before the first job its state is `idle` and its id `None`.
        """
        return self._handle(self._send(contract.process(job)))

    def wait(
        self,
        job: Job | str,
        *,
        timeout: float = 600.0,
        interval: float = 0.2,
        on_progress: Callable[[Job], object] | None = None,
        progress: bool = False,
    ) -> JobHandle:
        """Wait until a job is completed. A service that is away for a moment does no harm.

        Args:
            job: The job, or its id.
            timeout: Seconds to wait at most.
            interval: Seconds before the second look; grows gently up to 2 s.
            on_progress: Called with the job after each look.
            progress: Whether to show on stderr how far it has come.

        Returns:
            The completed job; some of its files may have failed.

        Raises:
            JobFailed: If the job failed or was canceled.
            TimeoutExceeded: If it is not completed in time; it goes on all the same.
        """
        patience = Patience(timeout=timeout, interval=interval)
        job_id, seen = contract.identify(job), None
        with watched(on_progress, shown=progress) as look:
            while True:
                missed: LookalikeError | None = None
                try:
                    told = self._send(contract.process(job_id), patience.request_seconds)
                except LookalikeError as error:
                    missed = error
                else:
                    seen = self._handle(told)
                    look(seen)
                    if is_complete(seen):
                        return seen
                time.sleep(patience.pause(standing(job_id, seen), missed))

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
        for page in self._pages(contract.jobs(state=state, collection=collection)):
            yield from map(self._handle, page.jobs)

    def job(self, job: Job | str) -> JobHandle:
        """One job."""
        return self._handle(self._send(contract.job(job)))

    def job_errors(self, job: Job | str) -> Iterator[JobError]:
        """Walk over all files that a job could not index."""
        for page in self._pages(contract.job_errors(job)):
            yield from page.errors

    def cancel(self, job: Job | str) -> JobHandle:
        """End a job that is not finished. What it has indexed stays; nothing more is added.

        Raises:
            Conflict: If it is completed or failed already.
        """
        return self._handle(self._send(contract.cancel(job)))

    def retry(self, job: Job | str) -> JobHandle:
        """Try again what a finished job failed at or did not reach, as a new job.

        Raises:
            Conflict: If it is not finished, or there is nothing to retry.
        """
        return self._handle(self._send(contract.retry(job)))

    def events(self, job: Job | str, *, timeout: float = 60.0) -> Iterator[JobHandle]:
        """Follow a job: as it is now, whenever it has changed, and at its end.

        A connection that breaks is opened again.

        Args:
            job: The job, or its id.
            timeout: Seconds that the service may be away before that is an error.

        Raises:
            TimeoutExceeded: If the service is away for longer.
        """
        call = contract.events(job)
        following = Following(contract.identify(job), timeout)
        while not following.is_over:
            missed: LookalikeError | None = None
            try:
                with closing(self._stream(call, following.begin)) as pieces:
                    for piece in pieces:
                        yield from map(self._handle, following.read(piece))
            except LookalikeError as error:
                missed = error
            if not following.is_over:
                time.sleep(following.pause(missed))

    def reindex(
        self,
        name: str,
        descriptor: str | None = None,
        *,
        drop_missing: bool = False,
        idempotency_key: str | None = None,
    ) -> JobHandle:
        """Start to describe the images of a collection anew; searches go on meanwhile.

        Args:
            name: Of the collection.
            descriptor: By which descriptor; else the service chooses.
            drop_missing: Delete images whose originals are gone, instead of not switching.
            idempotency_key: As for `train`.
        """
        call = contract.reindex(
            name, descriptor, drop_missing=drop_missing, idempotency_key=idempotency_key
        )
        return self._handle(self._send(call))

    def undo_reindex(self, name: str) -> Collection:
        """Let searches use the former descriptors again; a second time takes that back."""
        return self._send(contract.undo_reindex(name))

    def forget_reindex(self, name: str) -> None:
        """Give up a reindex that is not finished, and drop the former descriptors."""
        self._send(contract.forget_reindex(name))

    def _handle(self, job: Job) -> JobHandle:
        return JobHandle.of(job, self)
