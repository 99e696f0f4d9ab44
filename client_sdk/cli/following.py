"""Following jobs: a progress bar in a terminal, a few lines in a log, and the summary."""

from collections.abc import Callable, Generator, Sequence
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

from client_sdk import _progress
from client_sdk._sync.handles import JobHandle
from client_sdk.cli.codes import Code
from client_sdk.cli.commands import NegativeAnswer, Session
from client_sdk.cli.screen import Column, Field, Form, Screen, as_json, fields_of
from client_sdk.errors import JobFailed
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
                f"stopped watching; job {job.id} continues: lookalike jobs follow {job.id}"
            )
            raise
    return last


def report(session: Session, job: Job, *, strict: bool = False) -> int:
    """Show the last state of a job, and return the exit code; `strict` allows no failed file.

    Raises:
        NegativeAnswer: If the job failed or was canceled.
    """
    session.screen.one(job, job_fields(job))
    show_failed(session.screen, job.errors, job.failed, f"lookalike jobs errors {job.id}")
    for skipped in job.skipped:
        session.screen.warn(
            f"left out: {skipped.count}, such as {skipped.source}: {skipped.detail}"
        )
    if job.state is JobState.COMPLETED and not job.total and job.kind != "reindex":
        session.screen.warn("the job found no file to read")
    if job.state in (JobState.FAILED, JobState.CANCELED):
        raise NegativeAnswer(str(JobFailed(job)))
    return Code.NO if _all_failed(job) or (strict and job.failed) else Code.DONE


def show_failed(screen: Screen, failed: Sequence[JobError], count: int, command: str) -> None:
    """Show the first failed files: in a table, or for a pipe on the stream of errors."""
    if screen.form is Form.TABLE and failed:
        screen.many(failed[:SHOWN_ERRORS], ERROR_COLUMNS)
    elif screen.form is Form.LINES:
        for error in failed[:SHOWN_ERRORS]:
            screen.warn(f"failed: {error.source}: {error.detail}")
    if screen.form is not Form.JSON and count > SHOWN_ERRORS:
        screen.warn(f"{count} files failed; list them all with {command}")


def stream(session: Session, job: JobHandle) -> int:
    """Follow a job with one line for every change, or a bar in a terminal; return the exit code."""
    screen = session.screen
    if screen.form is Form.TABLE:
        return report(session, watched(session, job))
    last = None
    for last in job.events():
        screen.line(as_json(last) if screen.form is Form.JSON else _progress.describe(last))
    if last is None or last.state is not JobState.COMPLETED or _all_failed(last):
        return Code.NO
    return Code.DONE


def _all_failed(job: Job) -> bool:
    return job.failed > 0 and not (job.indexed or job.duplicates)


def job_fields(job: Job) -> list[Field]:
    """Return the fields of a job to show."""
    rate = job.images_per_second
    return [
        Field("id", job.id),
        Field("state", job.state, state_of(job)),
        *fields_of(job, "collection source retry_of"),
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
        *fields_of(job, "created_at finished_at detail"),
    ]


def state_of(job: Job) -> Text:
    """Return the state of a job in its colour."""
    return Text(job.state, style=STYLES.get(job.state, ""))


@contextmanager
def _showing(session: Session) -> Generator[Callable[[Job], None]]:
    """Yield a function that shows a job: as a bar in a terminal, as lines in a log."""
    console = session.screen.err
    if not console.is_terminal:
        log = _progress.Progress(session.screen.log)
        try:
            yield log
        finally:
            log.end()
        return
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[aside]}", markup=False),
        TimeRemainingColumn(compact=True),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("waiting", total=None, aside="")

        def show(job: Job) -> None:
            rate = f"{job.images_per_second:.0f}/s" if job.images_per_second else ""
            failed = f" {job.failed} failed" if job.failed else ""
            aside, total = rate + failed, job.total or None
            progress.update(
                task, description=str(job.state), completed=job.done, total=total, aside=aside
            )

        yield show
