"""The report of the upload of a folder."""

import threading
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from client_sdk._progress import showing
from client_sdk.errors import ApiError, JobFailed, LookalikeError, UsageError
from client_sdk.schemas import Job, JobError


@dataclass(frozen=True, slots=True)
class FolderFile:
    """A file of the folder.

    Attributes:
        name: The path below the folder, with slashes.
        sha256: The digest of its bytes; empty until it was read.
    """

    path: Path
    name: str
    size: int
    sha256: str = ""


@dataclass(frozen=True, slots=True)
class FailedFile:
    """A file that is not indexed.

    Attributes:
        path: The path below the folder, with slashes.
        code: One of the contract's error codes, or `unreadable` for a file that could not be read
            here.
        detail: The reason, for people.
    """

    path: str
    code: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadReport:
    """The outcome of every file of a folder.

    Attributes:
        found: Files that the patterns select.
        known: Files that were not sent, because the collection or an earlier file of the folder
            has the same bytes.
        sent: Files that the service accepted.
        indexed: Accepted files that became images; 0 unless their jobs were waited for.
        duplicates: Accepted files whose bytes had come into the collection meanwhile.
        failed: Files that are not indexed, with the reasons.
        bytes_sent: The bytes of all accepted files.
        jobs: The ids of the jobs.
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
        report: The outcome until then.
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
    """Counts the outcome of the files, from several threads.

    Args:
        on_change: Called with a line that describes the counts.
    """

    def __init__(self, on_change: Callable[[str], object] | None = None) -> None:
        self._lock = threading.RLock()
        self._on_change = on_change
        self.report = UploadReport()

    def add(self, **more: int | tuple[object, ...]) -> None:
        """Add counts, failed files or ids of jobs to the fields of the report."""
        with self._lock:
            now = {name: getattr(self.report, name) + value for name, value in more.items()}
            self.report = replace(self.report, **now)
            if self._on_change is not None:
                self._on_change(describe(self.report))

    def done(self, job: Job, failed: Iterable[JobError]) -> None:
        """Add the counts of a job that has ended, and the files that failed in it."""
        files = tuple(FailedFile(one.source, one.code, one.detail) for one in failed)
        self.add(indexed=job.indexed, duplicates=job.duplicates, failed=files)

    def broken(self, error: JobFailed, names: Iterable[str]) -> None:
        """Add a job that ended early, and the names of its files that are not indexed."""
        reasons = {one.source: one for one in error.job.errors}
        early = partial(JobError, code="job_failed", detail=str(error))
        self.done(error.job, [reasons.get(name) or early(source=name) for name in names])


def describe(report: UploadReport) -> str:
    """Describe an upload in one line."""
    done = report.indexed + report.duplicates
    return (
        f"{report.found} found, {report.known} known, {report.sent} sent, {done} done, "
        f"{len(report.failed)} failed"
    )


def failure_of(name: str, error: Exception) -> FailedFile:
    """Return the file that an error kept from being sent."""
    if isinstance(error, ApiError):
        return FailedFile(name, error.code, error.detail)
    reason = error.strerror if isinstance(error, OSError) else None
    return FailedFile(name, "unreadable", reason or str(error))


@contextmanager
def counted(*, shown: bool) -> Generator[Tally]:
    """Provide the counts of an upload, which are shown on stderr if wanted."""
    with showing(shown=shown) as show:
        tally = Tally(show)
        try:
            yield tally
        except UsageError:
            raise  # nothing was begun
        except LookalikeError as error:
            raise UploadStopped(tally.report, str(error)) from error
