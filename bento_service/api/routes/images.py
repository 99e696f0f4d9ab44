"""Version 2 of the HTTP contract: looking at images, collections and the service itself."""

from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel, BeforeValidator, ConfigDict
from pydantic_core import PydanticCustomError

from bento_service.api import wire
from bento_service.api.auth.access import sender_of
from bento_service.api.http.bodies import App, BoundedRoute
from bento_service.api.http.paging import Limit, position
from bento_service.errors import InvalidArgument
from bento_service.filters.parser import parse
from bento_service.filters.values import check_metadata
from bento_service.pictures.formats import MEDIA_TYPES
from client_sdk import __version__
from client_sdk.schemas import (
    DEFAULT_COLLECTION,
    FILTER_LANGUAGE,
    MAX_TOP_K,
    Collection,
    CollectionList,
    CollectionRequest,
    Image,
    ImageList,
    Info,
    Known,
    KnownRequest,
    Limits,
)

router = APIRouter(prefix="/api/v2", route_class=BoundedRoute)

Filter = Annotated[str | None, Query(description=FILTER_LANGUAGE)]
Side = Annotated[int, Query(ge=16, le=1024)]


def _digits(value: object) -> object:
    # Otherwise `1_0` would be image 10, and ` 5` and `5.0` image 5.
    if isinstance(value, str) and not (value.isascii() and value.isdigit()):
        raise PydanticCustomError("wrong_id", "is not an id; give a whole number, such as 12")
    return value


ImageId = Annotated[int, BeforeValidator(_digits)]
# The browser keeps a picture, but asks whether it still is the one of that id.
_KEPT = "private, no-cache"


class ImagePatch(BaseModel):
    """What can be changed of an image."""

    model_config = ConfigDict(extra="forbid")

    metadata: dict[str, Any]


@router.get("/images")
def images(
    app: App,
    collection: str = DEFAULT_COLLECTION,
    prefix: str | None = None,
    filter: Filter = None,  # noqa: A002 - the contract's name
    limit: Limit = 100,
    cursor: str | None = None,
) -> ImageList:
    """Images of a collection by rising id, all or those that pass a filter."""
    which = None if filter is None else parse(filter)
    record = app.catalogue.collections.named(collection)
    found = app.catalogue.images.page(
        record.id, after=position(cursor) or 0, limit=limit + 1, prefix=_inside(prefix), which=which
    )
    shown = found[:limit]
    return ImageList(
        images=tuple(map(wire.image, shown)),
        next_cursor=str(shown[-1].id) if len(found) > limit else None,
    )


@router.post("/known")
def known(app: App, body: KnownRequest) -> Known:
    """Which of some bytes a collection holds, so that nobody has to send them again."""
    record = app.catalogue.collections.named(body.collection)
    held = app.catalogue.images.known_among(record.id, body.sha256)
    return Known(collection=record.name, known=tuple(one for one in body.sha256 if one in held))


def _inside(prefix: str | None) -> str | None:
    """Below a root, as paths are kept; where the root is that of the file system, too."""
    return prefix if prefix is None else prefix.lstrip("/")


@router.get("/images/{image_id}")
def image(app: App, image_id: ImageId) -> Image:
    """One image."""
    return wire.image(app.catalogue.images.get(image_id))


@router.patch("/images/{image_id}")
def patch_image(app: App, image_id: ImageId, patch: ImagePatch) -> Image:
    """Replace the metadata of an image."""
    check_metadata(patch.metadata)
    app.catalogue.images.set_metadata(image_id, patch.metadata)
    return wire.image(app.catalogue.images.get(image_id))


@router.delete("/images/{image_id}", status_code=204)
def delete_image(app: App, image_id: ImageId) -> None:
    """Delete one image."""
    found = app.catalogue.images.get(image_id)
    record = app.catalogue.collections.named(found.collection)
    app.catalogue.images.delete(record.id, [image_id])
    app.changed()


@router.get("/images/{image_id}/content", response_class=Response)
def content(request: Request, app: App, image_id: ImageId) -> Response:
    """The bytes that were indexed."""
    found = app.catalogue.images.get(image_id)
    etag = f'"{found.sha256}"'
    if request.headers.get("if-none-match") == etag:
        return Response(status_code=304, headers={"ETag": etag})
    name = quote(wire.image(found).name)
    return Response(
        app.originals.read(found),
        media_type=MEDIA_TYPES[found.format],
        headers={
            "ETag": etag,
            "Cache-Control": _KEPT,
            "Content-Disposition": f"inline; filename*=UTF-8''{name}",
            "Content-Security-Policy": "default-src 'none'; sandbox",
            "X-Content-Type-Options": "nosniff",
        },
    )


@router.get("/images/{image_id}/thumbnail", response_class=Response)
async def image_thumbnail(
    request: Request, app: App, image_id: ImageId, size: Side = 256
) -> Response:
    """A small WebP that fits in a square of `size` pixels."""
    found = await run_in_threadpool(app.catalogue.images.get, image_id)
    etag = f'"{found.sha256}-{size}"'
    if request.headers.get("if-none-match") == etag:
        return Response(status_code=304, headers={"ETag": etag})
    small = await app.thumbnail(found, side=size, sender=sender_of(request))
    return Response(
        small,
        media_type="image/webp",
        headers={
            "ETag": etag,
            "Cache-Control": _KEPT,
            "X-Content-Type-Options": "nosniff",
        },
    )


@router.get("/collections")
def collections(app: App) -> CollectionList:
    """All collections."""
    return CollectionList(
        collections=tuple(
            wire.collection(app, record) for record in app.catalogue.collections.all()
        )
    )


@router.post("/collections", status_code=201)
def create_collection(app: App, body: CollectionRequest) -> Collection:
    """Create an empty collection."""
    space = app.computed.named(body.descriptor)
    record = app.catalogue.collections.create(body.name, space, ttl_seconds=body.ttl_seconds)
    app.changed()
    return wire.collection(app, record)


@router.delete("/collections/{name}", status_code=204)
def delete_collection(app: App, name: str) -> None:
    """Delete a collection with all its images; the default one can only be emptied."""
    if name == DEFAULT_COLLECTION:
        raise InvalidArgument(
            f"collection {name!r} always exists; empty it with POST /api/v2/delete"
        )
    app.delete_collection(name)


@router.get("/info")
def info(app: App) -> Info:
    """What runs, and what it accepts."""
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
        advice={one.name: one.advice for one in known if one.advice},
        image_roots=app.roots.names,
        limits=Limits(
            max_upload_bytes=app.settings.max_upload_bytes,
            max_request_bytes=app.settings.max_request_bytes,
            max_pixels=app.settings.max_pixels,
            max_jpeg_pixels=app.settings.max_jpeg_pixels,
            max_top_k=MAX_TOP_K,
            formats=tuple(MEDIA_TYPES),
        ),
    )
