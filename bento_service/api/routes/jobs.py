"""Jobs: listing, following, cancelling and retrying them."""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Depends, Header, HTTPException, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.sse import EventSourceResponse, ServerSentEvent

from bento_service.api import wire
from bento_service.api.auth.access import READ, TRAIN
from bento_service.api.http.bodies import App
from bento_service.api.http.paging import Limit, position
from bento_service.api.job_feed import Feed
from bento_service.api.pages import JobErrorList, JobList
from bento_service.application import Application
from bento_service.catalogue.jobs.records import JobRecord
from bento_service.errors import Overloaded
from bento_service.ingest.retrying import retry_job
from client_sdk.schemas import Job, JobState

router = APIRouter(prefix="/api/v2/jobs")

_REOPEN_MS = 2000


@router.get("", dependencies=[READ])
def jobs(
    app: App,
    state: Annotated[list[JobState] | None, Query(description="one or several")] = None,
    collection: str | None = None,
    batch: Annotated[str | None, Query(max_length=64)] = None,
    limit: Limit = 50,
    cursor: str | None = None,
) -> JobList:
    """List jobs, newest first: all, or those in some states, of a collection or of a batch."""
    found = app.catalogue.jobs.page(
        before=position(cursor),
        limit=limit + 1,
        states=state or (),
        collection=collection,
        batch=batch,
    )
    shown = found[:limit]
    return JobList(
        jobs=tuple(wire.job(app, record) for record in shown),
        next_cursor=str(shown[-1].number) if len(found) > limit else None,
    )


@router.get("/{job_id}", dependencies=[READ])
def job(app: App, job_id: str) -> Job:
    """Return one job."""
    return wire.job(app, app.catalogue.jobs.get(job_id))


@router.get("/{job_id}/errors", dependencies=[READ])
def job_errors(
    app: App, job_id: str, limit: Limit = 100, cursor: str | None = None
) -> JobErrorList:
    """List the failed files of a job."""
    record = app.catalogue.jobs.get(job_id)
    found = app.catalogue.jobs.failures(record.number, after=position(cursor) or 0, limit=limit + 1)
    shown = found[:limit]
    return JobErrorList(
        errors=wire.job_errors(record, shown),
        next_cursor=str(shown[-1].id) if len(found) > limit else None,
    )


@router.post("/{job_id}/cancel", status_code=202, dependencies=[TRAIN])
async def cancel(app: App, job_id: str) -> Job:
    """Cancel an unfinished job; images that it has indexed stay."""
    await run_in_threadpool(app.catalogue.job_control.cancel, job_id)
    record = await run_in_threadpool(app.catalogue.jobs.get, job_id)
    app.worker.drop(record.number)
    app.changed()  # drops the index that a reindex was preparing
    return await run_in_threadpool(wire.job, app, record)


@router.post("/{job_id}/retry", status_code=202, dependencies=[TRAIN])
async def retry(response: Response, app: App, job_id: str) -> Job:
    """Retry the failed and unreached files of a finished job as a new job."""
    record = await run_in_threadpool(retry_job, app.catalogue, app.uploads, app.computed, job_id)
    return await accepted(response, app, record)


async def accepted(response: Response, app: Application, record: JobRecord) -> Job:
    """Wake the worker for a new job and return it, with its address in `Location`."""
    app.worker.wake()
    response.headers["Location"] = f"/api/v2/jobs/{record.id}"
    return await run_in_threadpool(wire.job, app, record)


def _feed(request: Request, _: App) -> Feed:
    """Return the feed of job changes, or raise `Overloaded` if too many clients follow jobs."""
    feed: Feed = request.app.state.feed
    if feed.listeners >= request.app.state.streams:
        raise Overloaded(
            "too many clients are following jobs; poll `/api/v2/jobs/{id}`, or raise "
            "LOOKALIKE_EVENT_STREAMS"
        )
    return feed


def _followed(
    app: App, job_id: str, last_event_id: Annotated[str | None, Header()] = None
) -> JobRecord:
    """Return the job, or 204 if the browser has seen its last event and must not reconnect."""
    record = app.catalogue.jobs.get(job_id)
    if record.state.is_final and last_event_id == _event_id(record):
        raise HTTPException(204)
    return record


@router.get("/{job_id}/events", response_class=EventSourceResponse, dependencies=[READ])
async def job_events(
    feed: Annotated[Feed, Depends(_feed)],
    record: Annotated[JobRecord, Depends(_followed)],
) -> AsyncIterator[ServerSentEvent]:
    """Stream a job as `job` events: now, at each change and at its end.

    Comments keep the connection open in between.
    """
    async for job in feed.follow(record.number):
        yield ServerSentEvent(data=job, event="job", id=_event_id(job), retry=_REOPEN_MS)


def _event_id(job: Job | JobRecord) -> str:
    return f"{job.state}-{job.done}-{job.total}"
