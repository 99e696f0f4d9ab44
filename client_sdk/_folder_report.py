"""What became of the files of a folder."""

import sys
import threading
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from client_sdk._progress import Progress
from client_sdk.errors import ApiError, JobFailed, LookalikeError, UsageError
from client_sdk.schemas import Job, JobError


@dataclass(frozen=True, slots=True)
class FolderFile:
    """A file of the folder.

    Attributes:
        name: The path below the folder, with slashes.
        sha256: Of its bytes; empty until it was read.
    """

    path: Path
    name: str
    size: int
    sha256: str = ""


@dataclass(frozen=True, slots=True)
class FailedFile:
    """A file that is not indexed.

    Attributes:
        path: Below the folder, with slashes.
        code: The reason, one of the contract's error codes, or `unreadable` for a file that could
            not be read here.
        detail: The same for people.
    """

    path: str
    code: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadReport:
    """What became of the files of a folder; `found = known + sent +` those that were not sent.

    Attributes:
        found: Files that the patterns mean.
        known: Not sent, because the collection holds their bytes, or another file of the folder
            has the same.
        sent: Accepted by the service.
        indexed: Of those, images that are new; 0 unless their jobs were waited for.
        duplicates: Of those, bytes that came into the collection meanwhile.
        failed: Files that are not indexed, with the reasons.
        bytes_sent: Of all that were accepted.
        jobs: Ids of the jobs.
    """

    found: int = 0
    known: int = 0
    sent: int = 0
    indexed: int = 0
    duplicates: int = 0
    failed: tuple[FailedFile, ...] = ()
    bytes_sent: int = 0
    jobs: tuple[str, ...] = ()


class UploadStopped(LookalikeError):
    """The upload of a folder could not go on; its cause says why.

    Nothing is lost or doubled: what was sent is there, and the same call goes on with the rest.

    Attributes:
        report: What became of the files until then.
    """

    def __init__(self, report: UploadReport, reason: str) -> None:
        super().__init__(report, reason)
        self.report = report
        self.reason = reason

    def __str__(self) -> str:
        return (
            f"the upload stopped after {self.report.sent} files of {self.report.found} found until "
            f"then: {self.reason}; call it again to go on with the rest"
        )


class Tally:
    """Counts what becomes of the files, from several threads.

    Args:
        on_change: Called with a line on how it stands.
    """

    def __init__(self, on_change: Callable[[str], object] | None = None) -> None:
        self._lock = threading.RLock()
        self._on_change = on_change
        self._report = UploadReport()
        self._failed: list[FailedFile] = []
        self._jobs: list[str] = []

    @property
    def report(self) -> UploadReport:
        """How it stands."""
        with self._lock:
            return replace(self._report, failed=tuple(self._failed), jobs=tuple(self._jobs))

    def found(self, count: int) -> None:
        """Files were found."""
        self._add(found=count)

    def known(self, count: int) -> None:
        """Files need not be sent."""
        self._add(known=count)

    def accepted(self, batch: Sequence[FolderFile], job: Job) -> None:
        """Files were sent, and their job is on the list."""
        with self._lock:
            self._jobs.append(job.id or "")
        self._add(sent=len(batch), bytes_sent=sum(file.size for file in batch))

    def done(self, job: Job, failed: Iterable[JobError]) -> None:
        """A job is completed."""
        self.failed(FailedFile(one.source, one.code, one.detail) for one in failed)
        self._add(indexed=job.indexed, duplicates=job.duplicates)

    def broken(
        self, error: JobFailed, files: Iterable[FolderFile | FailedFile], held: Iterable[str]
    ) -> None:
        """A job ended early.

        Args:
            error: That says so.
            files: Of the job, read again.
            held: Digests of those that are there all the same.
        """
        reasons = {one.source: one for one in error.job.errors}
        indexed = set(held)
        lost = [
            file.name if isinstance(file, FolderFile) else file.path
            for file in files
            if isinstance(file, FailedFile) or file.sha256 not in indexed
        ]
        early = partial(JobError, code="job_failed", detail=str(error))
        self.done(error.job, (reasons.get(name) or early(source=name) for name in lost))

    def failed(self, files: Iterable[FailedFile]) -> None:
        """Files are not indexed."""
        with self._lock:
            self._failed += files
        self._add()

    def refused(self, batch: Sequence[FolderFile], error: Exception) -> None:
        """The service took none of these, or they cannot be read."""
        self.failed(failure_of(file.name, error) for file in batch)

    def _add(self, **counts: int) -> None:
        with self._lock:
            now = {name: getattr(self._report, name) + count for name, count in counts.items()}
            self._report = replace(self._report, **now)
            if self._on_change is not None:
                self._on_change(describe(self.report))


def describe(report: UploadReport) -> str:
    """One line on how an upload stands."""
    done = report.indexed + report.duplicates
    return (
        f"{report.found} found, {report.known} known, {report.sent} sent, {done} done, "
        f"{len(report.failed)} failed"
    )


def failure_of(name: str, error: Exception) -> FailedFile:
    """A file that an error kept from being sent."""
    if isinstance(error, ApiError):
        return FailedFile(name, error.code, error.detail)
    reason = error.strerror if isinstance(error, OSError) else None
    return FailedFile(name, "unreadable", reason or str(error))


@contextmanager
def counted(*, shown: bool) -> Generator[Tally]:
    """What counts the files of an upload, and shows on stderr how it stands where that is wanted.

    Raises:
        UploadStopped: In place of what ends the upload.
    """
    progress = Progress(sys.stderr) if shown else None
    tally = Tally(None if progress is None else progress.line)
    try:
        yield tally
    except UsageError:
        raise  # nothing was begun
    except LookalikeError as error:
        raise UploadStopped(tally.report, str(error)) from error
    finally:
        if progress is not None:
            progress.end()
