"""Version 2 of the HTTP contract: looking at jobs, following, canceling and retrying them."""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Depends, Header, HTTPException, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.sse import EventSourceResponse, ServerSentEvent

from bento_service.api import wire
from bento_service.api.http.bodies import App
from bento_service.api.http.paging import Limit, position
from bento_service.api.job_feed import Feed
from bento_service.application import Application
from bento_service.catalogue.jobs.records import JobRecord
from bento_service.errors import Overloaded
from bento_service.ingest.retrying import retry_job
from client_sdk.schemas import Job, JobErrorList, JobList, JobState

router = APIRouter(prefix="/api/v2/jobs")

_REOPEN_MS = 2000


@router.get("")
def jobs(
    app: App,
    state: Annotated[list[JobState] | None, Query(description="one or several")] = None,
    collection: str | None = None,
    limit: Limit = 50,
    cursor: str | None = None,
) -> JobList:
    """Jobs, newest first: all, or those in some states, or those of a collection."""
    found = app.catalogue.jobs.page(
        before=position(cursor), limit=limit + 1, states=state or (), collection=collection
    )
    shown = found[:limit]
    return JobList(
        jobs=tuple(wire.job(app, record) for record in shown),
        next_cursor=str(shown[-1].number) if len(found) > limit else None,
    )


@router.get("/{job_id}")
def job(app: App, job_id: str) -> Job:
    """One job."""
    return wire.job(app, app.catalogue.jobs.get(job_id))


@router.get("/{job_id}/errors")
def job_errors(
    app: App, job_id: str, limit: Limit = 100, cursor: str | None = None
) -> JobErrorList:
    """The failed files of a job."""
    record = app.catalogue.jobs.get(job_id)
    found = app.catalogue.jobs.failures(record.number, after=position(cursor) or 0, limit=limit + 1)
    shown = found[:limit]
    return JobErrorList(
        errors=wire.job_errors(record, shown),
        next_cursor=str(shown[-1].id) if len(found) > limit else None,
    )


@router.post("/{job_id}/cancel", status_code=202)
async def cancel(app: App, job_id: str) -> Job:
    """End a job that is not finished; what it has indexed stays, and nothing more is added."""
    await run_in_threadpool(app.catalogue.job_control.cancel, job_id)
    record = await run_in_threadpool(app.catalogue.jobs.get, job_id)
    app.worker.drop(record.number)
    app.changed()  # an index that was being prepared goes
    return await run_in_threadpool(wire.job, app, record)


@router.post("/{job_id}/retry", status_code=202)
async def retry(response: Response, app: App, job_id: str) -> Job:
    """Try the failed files of a finished job again, and what it did not reach, as a new job."""
    record = await run_in_threadpool(retry_job, app.catalogue, app.uploads, app.computed, job_id)
    return await accepted(response, app, record)


async def accepted(response: Response, app: Application, record: JobRecord) -> Job:
    """The answer to a call that has put a job on the list; the worker begins with it."""
    app.worker.wake()
    response.headers["Location"] = f"/api/v2/jobs/{record.id}"
    return await run_in_threadpool(wire.job, app, record)


def _feed(request: Request, _: App) -> Feed[Job]:
    """Where jobs are followed.

    Raises:
        Overloaded: By as many as may.
    """
    feed: Feed[Job] = request.app.state.feed
    if feed.listeners >= request.app.state.streams:
        raise Overloaded(
            "jobs are followed by as many as may; ask `/api/v2/jobs/{id}` now and then, or raise "
            "LOOKALIKE_EVENT_STREAMS"
        )
    return feed


def _followed(
    app: App, job_id: str, last_event_id: Annotated[str | None, Header()] = None
) -> JobRecord:
    """The job, unless its last event was seen: then a browser is told to ask no more."""
    record = app.catalogue.jobs.get(job_id)
    if record.state.is_final and last_event_id == _event_id(record):
        raise HTTPException(204)
    return record


@router.get("/{job_id}/events", response_class=EventSourceResponse)
async def job_events(
    feed: Annotated[Feed[Job], Depends(_feed)],
    record: Annotated[JobRecord, Depends(_followed)],
) -> AsyncIterator[ServerSentEvent]:
    """Follow a job: an event `job` with the job now, on each change, and at its end.

    Then the stream ends. Comments in between keep the connection open.
    """
    async for job in feed.follow(record.number):
        yield ServerSentEvent(data=job, event="job", id=_event_id(job), retry=_REOPEN_MS)


def _event_id(job: Job | JobRecord) -> str:
    return f"{job.state}-{job.done}-{job.total}"
