"""Collections, and what the service is and accepts."""

from fastapi import APIRouter, Request

from bento_service.api import wire
from bento_service.api.auth.access import READ, TRAIN
from bento_service.api.auth.tokens import Caller, Scope
from bento_service.api.http.bodies import App, BoundedRoute
from bento_service.api.pages import CollectionList
from bento_service.errors import InvalidArgument
from bento_service.requests import CollectionRequest
from client_sdk import __version__
from client_sdk.decoding.formats import MEDIA_TYPES
from client_sdk.schemas import (
    DEFAULT_COLLECTION,
    MAX_TOP_K,
    Collection,
    Info,
    Limits,
)

router = APIRouter(prefix="/api/v2", route_class=BoundedRoute)


@router.get("/collections", dependencies=[READ])
def collections(app: App) -> CollectionList:
    """List all collections."""
    return CollectionList(
        collections=tuple(
            wire.collection(app, record) for record in app.catalogue.collections.all()
        )
    )


@router.post("/collections", status_code=201, dependencies=[TRAIN])
def create_collection(app: App, body: CollectionRequest) -> Collection:
    """Create an empty collection."""
    space = app.computed.named(body.descriptor)
    record = app.catalogue.collections.create(body.name, space, ttl_seconds=body.ttl_seconds)
    app.changed()
    return wire.collection(app, record)


@router.delete("/collections/{name}", status_code=204, dependencies=[TRAIN])
def delete_collection(app: App, name: str) -> None:
    """Delete a collection with all its images; the default one can only be emptied."""
    if name == DEFAULT_COLLECTION:
        raise InvalidArgument(
            f"collection {name!r} always exists; empty it with POST /api/v2/delete"
        )
    app.delete_collection(name)


@router.get("/info", dependencies=[READ])
def info(request: Request, app: App) -> Info:
    """Describe the service: version, model, index, limits, and the caller's scopes."""
    caller: Caller = request.scope["caller"]
    known = [wire.collection(app, record) for record in app.catalogue.collections.all()]
    kinds = {one.name: one.index_type for one in known}
    return Info(
        version=__version__,
        model=app.model,
        fingerprint=app.version.fingerprint,
        descriptor=app.version.name,
        dimension=app.version.dimension,
        engine=app.engine,
        precision=app.version.precision,
        index_type=kinds.get(DEFAULT_COLLECTION, ""),
        index_types=kinds,
        milvus_lite=app.gallery.is_milvus_lite,
        index_memory_bytes=app.gallery.cached_bytes,
        advice={one.name: one.advice for one in known if one.advice},
        image_roots=app.roots.names,
        urls=app.fetcher is not None,
        scopes=tuple(scope.value for scope in Scope if caller.may(scope)),
        lines=wire.lines(app.version.thresholds),
        limits=Limits(
            max_upload_bytes=app.settings.max_upload_bytes,
            max_request_bytes=app.settings.max_request_bytes,
            max_pixels=app.settings.max_pixels,
            max_jpeg_pixels=app.settings.max_jpeg_pixels,
            max_top_k=MAX_TOP_K,
            formats=tuple(MEDIA_TYPES),
        ),
    )
