"""`lookalike jobs` and `lookalike process`: lists, follows, cancels and retries jobs."""

from itertools import islice
from typing import Annotated

import typer
from rich.text import Text
from typer import Option

from client_sdk._sync.handles import JobHandle
from client_sdk.cli import options as given
from client_sdk.cli.commands import NegativeAnswer, Session, command
from client_sdk.cli.following import (
    ERROR_COLUMNS,
    job_fields,
    report,
    state_of,
    stream,
    watched,
)
from client_sdk.cli.screen import Column
from client_sdk.errors import UsageError
from client_sdk.schemas import Job, JobState

app: typer.Typer = typer.Typer(help="List jobs, follow, cancel or retry one, read its errors.")

_WHOLE_ID = 32
_SHOWN = 12  # characters of an id in a table; so many are unique in practice
_SHORTEST = 6
_LOOKED_THROUGH = 1000  # newest jobs

COLUMNS = (
    Column[Job]("id", lambda job: job.id, lambda job: (job.id or "")[:_SHOWN], style="dim"),
    Column[Job]("state", lambda job: job.state, state_of),
    Column[Job]("collection", lambda job: job.collection, folds=True),
    Column[Job]("done", lambda job: job.done, right=True),
    Column[Job]("total", lambda job: job.total, right=True),
    Column[Job](
        "failed",
        lambda job: job.failed,
        lambda job: Text(str(job.failed), "bold red" if job.failed else "dim"),
        right=True,
    ),
    Column[Job]("created", lambda job: job.created_at, style="dim"),
    Column[Job]("source", lambda job: job.source, folds=True),
)


def process(session: Session, job: given.NewestJobArgument = None) -> None:
    """Show the progress of a job."""
    seen = named(session, job)
    session.screen.one(seen, job_fields(seen))


@command(app, group=True)
def jobs(
    session: Session,
    *,
    state: Annotated[list[JobState], Option(help="Only jobs in this state; may be repeated.")] = [],
    collection: Annotated[
        str | None,
        Option("--collection", "-c", metavar="NAME", help="Only jobs of this collection."),
    ] = None,
    limit: Annotated[int, Option("--limit", "-n", min=1, help="At most this many.")] = 20,
) -> None:
    """List the jobs, newest first."""
    found = session.client.jobs(state=state, collection=collection)
    session.screen.many(islice(found, limit), COLUMNS)


@command(app)
def follow(session: Session, job: given.NewestJobArgument = None) -> int:
    """Follow a job to its end; a pipe gets a line for every change."""
    return stream(session, _begun(session, job))


@command(app)
def errors(session: Session, job: given.NewestJobArgument = None) -> None:
    """List every file that a job could not index, with the reason."""
    session.screen.many(_begun(session, job).all_errors(), ERROR_COLUMNS)


@command(app)
def cancel(session: Session, job: given.JobArgument) -> None:
    """Cancel an unfinished job; images that it has indexed stay."""
    ended = named(session, job).cancel()
    session.screen.one(ended, job_fields(ended))


@command(app)
def retry(session: Session, job: given.JobArgument, *, wait: given.WaitOption = True) -> int:
    """Start a new job for the failed and unreached files of a job."""
    started = named(session, job).retry()
    return report(session, watched(session, started, wait=wait))


def named(session: Session, job: str | None) -> JobHandle:
    """Return a job by its id or by the prefix that a table shows; without one, the newest."""
    if job is None or not _SHORTEST <= len(job) < _WHOLE_ID or set(job) - set("0123456789abcdef"):
        return session.client.job(job)
    newest = islice(session.client.jobs(), _LOOKED_THROUGH)
    matching = [one for one in newest if one.id and one.id.startswith(job)]
    if len(matching) > 1:
        raise UsageError(f"{len(matching)} jobs begin with {job}; give more of the id")
    return matching[0] if matching else session.client.job(job)


def _begun(session: Session, job: str | None) -> JobHandle:
    found = named(session, job)
    if found.id is None:
        raise NegativeAnswer("there is no job yet; start one with lookalike train")
    return found
