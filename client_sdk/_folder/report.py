"""The report of the upload of a folder."""

import threading
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from client_sdk._progress import showing
from client_sdk.errors import ApiError, JobFailed, LookalikeError, UsageError
from client_sdk.schemas import Job, JobError
from client_sdk.schemas.answer import Answer


@dataclass(frozen=True, slots=True)
class FolderFile:
    """A file of the folder, named by its path below it; `sha256` is empty until it was read."""

    path: Path
    name: str
    size: int
    sha256: str = ""


class UploadReport(Answer):
    """The outcome of every file of a folder.

    Attributes:
        found: The number of files that the patterns select.
        known: The number of files that were not sent, because the collection or an earlier file
            of the folder has the same bytes.
        sent: The number of files that the service accepted.
        indexed: The number of accepted files that became images; 0 with `wait=False`.
        duplicates: The number of accepted files whose bytes another call has indexed in the
            meantime; 0 with `wait=False`.
        failed: The files that are not indexed, with the reasons: a code of the contract, or
            `unreadable` for a file that the client could not read.
        left_out: Clutter and links that are not followed, with the reasons; not part of `found`.
        bytes_sent: The total size of the accepted files.
        jobs: The ids of the jobs.
    """

    found: int = 0
    known: int = 0
    sent: int = 0
    indexed: int = 0
    duplicates: int = 0
    failed: tuple[JobError, ...] = ()
    left_out: tuple[JobError, ...] = ()
    bytes_sent: int = 0
    jobs: tuple[str, ...] = ()


class UploadStopped(LookalikeError):
    """The upload of a folder could not continue; `__cause__` is the error that stopped it.

    The service keeps the files that were sent; the same call continues with the rest.

    Attributes:
        report: The outcome of the files until the error.
        reason: The reason as a sentence.
    """

    def __init__(self, report: UploadReport, reason: str) -> None:
        super().__init__(report, reason)
        self.report = report
        self.reason = reason

    def __str__(self) -> str:
        return (
            f"the upload stopped after sending {self.report.sent} of the {self.report.found} files "
            f"found so far: {self.reason}; repeat the call to continue with the rest"
        )


class Tally:
    """Counts of files, for several threads; `on_change` gets a line about them at each change."""

    def __init__(self, on_change: Callable[[str], object] | None = None) -> None:
        self._lock = threading.RLock()
        self._on_change = on_change
        self.report = UploadReport()

    def add(self, **more: int | tuple[object, ...]) -> None:
        """Add counts, failed files or ids of jobs to the fields of the report."""
        with self._lock:
            now = {name: getattr(self.report, name) + value for name, value in more.items()}
            self.report = self.report.model_copy(update=now)
            if self._on_change is not None:
                self._on_change(describe(self.report))

    def done(self, job: Job, failed: Iterable[JobError]) -> None:
        """Add the counts of a job that has ended, and the files that failed in it."""
        self.add(indexed=job.indexed, duplicates=job.duplicates, failed=tuple(failed))

    def broken(self, error: JobFailed, names: Iterable[str]) -> None:
        """Add a job that ended early, and the names of its files that are not indexed."""
        reasons = {one.source: one for one in error.job.errors}
        early = partial(JobError, code="job_failed", detail=str(error))
        self.done(error.job, [reasons.get(name) or early(source=name) for name in names])


def describe(report: UploadReport) -> str:
    """Return a description of an upload in one line."""
    done = report.indexed + report.duplicates
    line = (
        f"{report.found} found, {report.known} known, {report.sent} sent, {done} done, "
        f"{len(report.failed)} failed"
    )
    return f"{line}, {len(report.left_out)} left out" if report.left_out else line


def failure_of(name: str, error: Exception) -> JobError:
    """Return the failure of a file because of an error."""
    if isinstance(error, ApiError):
        return JobError(source=name, code=error.code, detail=error.detail)
    reason = error.strerror if isinstance(error, OSError) else None
    return JobError(source=name, code="unreadable", detail=reason or str(error))


@contextmanager
def counted(*, shown: bool) -> Generator[Tally]:
    """Yield the counts of an upload, and show them on stderr if `shown`."""
    with showing(shown=shown) as show:
        tally = Tally(None if show is None else show.line)
        try:
            yield tally
        except UsageError:
            raise  # raised before anything was sent
        except LookalikeError as error:
            raise UploadStopped(tally.report, str(error)) from error
