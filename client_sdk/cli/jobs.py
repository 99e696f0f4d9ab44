"""`lookalike jobs` and `lookalike process`: what the service works at, and what became of it."""

from itertools import islice
from typing import Annotated

import typer

from client_sdk.cli import options as given
from client_sdk.cli.commands import No, Session, command
from client_sdk.cli.following import (
    ERROR_COLUMNS,
    fields_of,
    report,
    state_of,
    stream,
    watched,
)
from client_sdk.cli.screen import Column
from client_sdk.schemas import Job, JobState

app = typer.Typer(help="List jobs, follow, cancel or retry one, read its errors.")

COLUMNS = (
    Column[Job]("id", lambda job: job.id, style="dim"),
    Column[Job]("state", lambda job: job.state, state_of),
    Column[Job]("collection", lambda job: job.collection),
    Column[Job]("done", lambda job: job.done, right=True),
    Column[Job]("total", lambda job: job.total, right=True),
    Column[Job]("failed", lambda job: job.failed, right=True),
    Column[Job](
        "created",
        lambda job: job.created_at and job.created_at.isoformat(timespec="seconds"),
        lambda job: f"{job.created_at:%Y-%m-%d %H:%M}" if job.created_at else "",
        style="dim",
    ),
    Column[Job]("source", lambda job: job.source, folds=True),
)


def process(session: Session, job: given.NewestJobArgument = None) -> None:
    """Tell how far a job has come."""
    seen = session.client.process(job)
    session.screen.one(seen, fields_of(seen))


@command(app, group=True)
def jobs(
    session: Session,
    *,
    state: Annotated[
        list[JobState], typer.Option(help="Only jobs in this state; may be repeated.")
    ] = [],  # noqa: B006 - Typer copies it
    collection: Annotated[
        str | None, typer.Option("--collection", "-c", metavar="NAME", help="Only of this one.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="How many at most.")] = 20,
) -> None:
    """List the jobs, newest first."""
    found = session.client.jobs(state=state, collection=collection)
    session.screen.many(islice(found, limit), COLUMNS)


@command(app)
def follow(session: Session, job: given.NewestJobArgument = None) -> int:
    """Follow a job to its end; a pipe gets a line for every change."""
    return stream(session, _named(session, job))


@command(app)
def errors(session: Session, job: given.NewestJobArgument = None) -> None:
    """List every file that a job could not index, with the reason."""
    session.screen.many(session.client.job_errors(_named(session, job)), ERROR_COLUMNS)


@command(app)
def cancel(session: Session, job: given.JobArgument) -> None:
    """End a job that is not finished; what it has indexed stays."""
    ended = session.client.cancel(job)
    session.screen.one(ended, fields_of(ended))


@command(app)
def retry(session: Session, job: given.JobArgument, *, wait: given.WaitOption = True) -> int:
    """Try again what a job failed at or did not reach, as a new job."""
    return report(session, watched(session, session.client.retry(job), wait=wait))


def _named(session: Session, job: str | None) -> str:
    if job is not None:
        return job
    newest = session.client.process()
    if newest.id is None:
        raise No("there is no job yet; start one with lookalike train")
    return newest.id
