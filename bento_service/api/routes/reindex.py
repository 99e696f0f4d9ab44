"""Reindexing: describing a collection by another descriptor version. For `admin` alone."""

from fastapi import APIRouter, Response
from fastapi.concurrency import run_in_threadpool

from bento_service.api import wire
from bento_service.api.http.bodies import App, BoundedRoute
from bento_service.api.http.idempotency import IdempotencyKey, start_once
from bento_service.api.routes.jobs import accepted
from bento_service.catalogue.jobs.records import Claim, JobRecord
from bento_service.ingest.starting.folder_jobs import start_reindex_job
from bento_service.requests import ReindexRequest
from client_sdk.schemas import Collection, Job

router = APIRouter(prefix="/api/v2/collections/{name}/reindex", route_class=BoundedRoute)


@router.post("", status_code=202)
async def reindex(
    response: Response,
    app: App,
    name: str,
    body: ReindexRequest | None = None,
    idempotency_key: IdempotencyKey = None,
) -> Job:
    """Describe all images by another descriptor, or in the precision that the service runs.

    Searches use the old descriptors until every image has a new one.
    """
    wanted = body or ReindexRequest()

    def start(claim: Claim | None) -> JobRecord:
        return start_reindex_job(
            app.catalogue,
            app.computed,
            name,
            wanted.descriptor,
            drop_missing=wanted.drop_missing,
            claim=claim,
        )

    record = await run_in_threadpool(
        start_once, app, idempotency_key, f"reindex {name}", wanted.model_dump, start
    )
    return await accepted(response, app, record)


@router.post("/undo")
def undo(app: App, name: str) -> Collection:
    """Switch searches to the former descriptors at once; a second call switches back."""
    app.catalogue.reindexes.undo(app.catalogue.collections.named(name))
    app.changed()
    return wire.collection(app, app.catalogue.collections.named(name))


@router.delete("", status_code=204)
def forget(app: App, name: str) -> None:
    """Cancel an unfinished reindex and drop the former descriptors."""
    app.catalogue.reindexes.forget(app.catalogue.collections.named(name))
    app.changed()
