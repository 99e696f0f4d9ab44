"""Following jobs: a progress bar in a terminal, a few lines in a log, and the summary."""

from collections.abc import Generator
from contextlib import contextmanager

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from client_sdk import _progress as telling
from client_sdk._sync.jobs import JobHandle
from client_sdk.cli.codes import Code
from client_sdk.cli.commands import No, Session
from client_sdk.cli.screen import Column, Field, Form, as_json
from client_sdk.schemas import Job, JobError, JobState

STYLES = {
    JobState.COMPLETED: "green",
    JobState.FAILED: "bold red",
    JobState.CANCELED: "yellow",
    JobState.IN_PROGRESS: "cyan",
}
SHOWN_ERRORS = 5
ERROR_COLUMNS = (
    Column[JobError]("source", lambda error: error.source, folds=True),
    Column[JobError]("code", lambda error: error.code, style="yellow"),
    Column[JobError]("detail", lambda error: error.detail, folds=True),
)


def watched(session: Session, job: JobHandle, *, wait: bool = True) -> JobHandle:
    """Watch a job to its end, and return its last state; Ctrl-C does not cancel the job."""
    if not wait or job.state.is_final or job.state is JobState.IDLE:
        return job
    last = job
    with _showing(session) as show:
        try:
            for last in job.events():
                show(last)
        except KeyboardInterrupt:
            session.screen.warn(
                f"stopped watching; job {job.id} goes on: lookalike jobs follow {job.id}"
            )
            raise
    return last


def report(session: Session, job: Job, *, strict: bool = False) -> int:
    """Show the summary of a job, and return the exit code.

    Args:
        session: The running command.
        job: The last state of the job.
        strict: If true, a single failed file makes the exit code `Code.NO`.

    Raises:
        No: If the job failed or was canceled.
    """
    session.screen.one(job, fields_of(job))
    if session.screen.form is Form.TABLE and job.errors:
        session.screen.many(job.errors[:SHOWN_ERRORS], ERROR_COLUMNS)
        if job.failed > SHOWN_ERRORS:
            session.screen.aside(f"all {job.failed}: lookalike jobs errors {job.id}")
    if job.state in (JobState.FAILED, JobState.CANCELED):
        reason = f": {job.detail}" if job.detail else ""
        raise No(f"job {job.id} {_ended(job)} after {job.done} of {job.total}{reason}")
    nothing_went_well = job.failed and not (job.indexed or job.duplicates)
    return Code.NO if nothing_went_well or (strict and job.failed) else Code.DONE


def stream(session: Session, job: JobHandle) -> int:
    """Follow a job with one line for every change, or a bar in a terminal; return the exit code."""
    screen = session.screen
    if screen.form is Form.TABLE:
        return report(session, watched(session, job))
    last = None
    for last in job.events():
        screen.line(as_json(last) if screen.form is Form.JSON else telling.describe(last))
    return Code.DONE if last is not None and last.state is JobState.COMPLETED else Code.NO


def fields_of(job: Job) -> list[Field]:
    """Return the fields of a job to show."""
    rate = job.images_per_second
    return [
        Field("id", job.id),
        Field("state", job.state, state_of(job)),
        Field("collection", job.collection),
        Field("source", job.source),
        Field("retry_of", job.retry_of),
        Field("dry_run", "yes" if job.dry_run else None),
        Field("done", f"{job.done}", f"{job.done} of {job.total}"),
        Field("total", job.total if job.done != job.total else None),
        Field("indexed", job.indexed),
        Field("duplicates", job.duplicates or None),
        Field("unchanged", job.unchanged or None),
        Field("removed", job.removed or None),
        Field("failed", job.failed, Text(str(job.failed), "bold red" if job.failed else "")),
        Field("images_per_second", rate and f"{rate:.1f}"),
        Field("eta_seconds", job.eta_seconds and f"{job.eta_seconds:.0f}"),
        Field("created_at", job.created_at),
        Field("finished_at", job.finished_at),
        Field("detail", job.detail),
    ]


def state_of(job: Job) -> Text:
    """Return the state of a job in its colour."""
    return Text(job.state, style=STYLES.get(job.state, ""))


@contextmanager
def bar(session: Session) -> Generator[Progress]:
    """Yield a progress display on stderr; it is disabled if stderr is not a terminal."""
    console = session.screen.err
    with Progress(
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[aside]}", markup=False),
        TimeRemainingColumn(compact=True),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    ) as progress:
        yield progress


@contextmanager
def _showing(session: Session) -> "Generator[Show]":
    with bar(session) as progress:
        yield Show(session, progress)


class Show:
    """A display of the progress of one job."""

    def __init__(self, session: Session, progress: Progress) -> None:
        self._progress = progress
        self._task = progress.add_task("waiting", total=None, aside="")
        self._log = telling.Progress(session.screen.log) if progress.disable else None

    def __call__(self, job: Job) -> None:
        """Show the current state of the job."""
        if self._log is not None:
            self._log(job)
            return
        rate = f"{job.images_per_second:.0f}/s" if job.images_per_second else ""
        failed = f" {job.failed} failed" if job.failed else ""
        self._progress.update(
            self._task,
            description=str(job.state),
            completed=job.done,
            total=job.total or None,
            aside=rate + failed,
        )


def _ended(job: Job) -> str:
    return "was canceled" if job.state is JobState.CANCELED else "failed"
