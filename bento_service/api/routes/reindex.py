"""Version 2 of the HTTP contract: bringing collections to another descriptor version."""

from functools import partial

from fastapi import APIRouter, Response
from fastapi.concurrency import run_in_threadpool

from bento_service.api import wire
from bento_service.api.http.bodies import App, BoundedRoute
from bento_service.api.http.idempotency import IdempotencyKey, claim_of, once
from bento_service.api.routes.jobs import accepted
from bento_service.ingest.starting.folder_jobs import start_reindex_job
from client_sdk.schemas import Collection, Job, ReindexRequest

router = APIRouter(prefix="/api/v2/collections/{name}/reindex", route_class=BoundedRoute)


@router.post("", status_code=202)
async def reindex(
    response: Response,
    app: App,
    name: str,
    body: ReindexRequest | None = None,
    idempotency_key: IdempotencyKey = None,
) -> Job:
    """Describe the images anew: by another descriptor, or in the precision that the service runs.

    Searches go on meanwhile; they use the new descriptors as soon as every image has one.
    """
    wanted = body or ReindexRequest()
    claim = claim_of(idempotency_key, f"reindex {name}", wanted.model_dump(mode="json"))
    start = partial(
        start_reindex_job,
        app.catalogue,
        app.computed,
        name,
        wanted.descriptor,
        drop_missing=wanted.drop_missing,
        claim=claim,
    )
    return await accepted(response, app, await run_in_threadpool(once, app, claim, start))


@router.post("/undo")
def undo(app: App, name: str) -> Collection:
    """Let searches use the former descriptors again, at once. A second time takes that back."""
    app.catalogue.reindexes.undo(app.catalogue.collections.named(name))
    app.changed()
    return wire.collection(app, app.catalogue.collections.named(name))


@router.delete("", status_code=204)
def forget(app: App, name: str) -> None:
    """Give up a reindex that is not finished, and drop the former descriptors."""
    app.catalogue.reindexes.forget(app.catalogue.collections.named(name))
    app.changed()
