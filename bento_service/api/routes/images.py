"""Images: counting, listing, reading, changing and deleting them."""

from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel, BeforeValidator, ConfigDict
from pydantic_core import PydanticCustomError

from bento_service.api import wire
from bento_service.api.auth.access import READ, TRAIN, sender_of
from bento_service.api.http.bodies import App, BoundedRoute, json_body, loose_parameters, text_of
from bento_service.api.http.paging import Limit, position
from bento_service.api.openapi import COLLECTION, body_of, json_content
from bento_service.application import Application
from bento_service.errors import InvalidArgument
from bento_service.filters.expressions import Expression
from bento_service.filters.parser import parse
from bento_service.filters.values import check_metadata
from bento_service.pictures.formats import MEDIA_TYPES
from client_sdk.schemas import (
    DEFAULT_COLLECTION,
    FILTER_LANGUAGE,
    Count,
    Deleted,
    DeleteRequest,
    Image,
    ImageList,
    Known,
    KnownRequest,
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
# The browser caches a picture, but asks each time whether it is still current.
_KEPT = "private, no-cache"


class ImagePatch(BaseModel):
    """The fields of an image that a caller may change."""

    model_config = ConfigDict(extra="forbid")

    metadata: dict[str, Any]


def _count_body() -> dict[str, Any]:
    properties = {
        "collection": {**COLLECTION, "type": ["string", "null"]},
        "filter": {"type": ["string", "null"], "description": FILTER_LANGUAGE},
    }
    return {"application/json": {"schema": {"type": "object", "properties": properties}}}


@router.get("/count", response_model=Count, dependencies=[READ])
@router.post(
    "/count",
    response_model=Count,
    dependencies=[READ],
    openapi_extra=body_of(_count_body(), required=False),
)
async def count(request: Request, app: App) -> Count:
    """Count the images of a collection, or those that pass a filter."""
    parameters = await loose_parameters(request)
    name = text_of(parameters, "collection", DEFAULT_COLLECTION)
    expression = text_of(parameters, "filter")
    return await run_in_threadpool(_count, app, name, parse(expression) if expression else None)


def _count(app: Application, name: str, which: Expression | None) -> Count:
    collection = app.catalogue.collections.named(name)
    if which is not None:
        return Count(collection=name, count=app.catalogue.filtered.count(collection.id, which))
    return Count(collection=name, count=app.catalogue.images.count(collection.id))


@router.post(
    "/delete",
    response_model=Deleted,
    dependencies=[TRAIN],
    openapi_extra=body_of(json_content(DeleteRequest)),
)
async def delete(request: Request, app: App) -> Deleted:
    """Delete images by id, those that pass a filter, or all of a collection."""
    body = await json_body(request, DeleteRequest)
    return await run_in_threadpool(_delete, app, body)


def _delete(app: Application, body: DeleteRequest) -> Deleted:
    if [bool(body.ids), body.filter is not None, body.all].count(True) != 1:
        raise InvalidArgument(
            "name what to delete: one of `ids`, `filter` and `all: true`; nothing was done"
        )
    which = None if body.filter is None else parse(body.filter)
    collection = app.catalogue.collections.named(body.collection)
    if which is not None:
        deleted = app.catalogue.filtered.delete(collection.id, which)
    elif body.ids is None:
        deleted = app.catalogue.images.delete_all(collection.id)
    else:
        deleted = app.catalogue.images.delete(collection.id, body.ids)
    app.changed()
    return Deleted(collection=collection.name, deleted=deleted)


@router.get("/images", dependencies=[READ])
def images(
    app: App,
    collection: str = DEFAULT_COLLECTION,
    prefix: str | None = None,
    filter: Filter = None,  # noqa: A002 - the contract's name
    limit: Limit = 100,
    cursor: str | None = None,
) -> ImageList:
    """List images of a collection by rising id, all or those that pass a filter."""
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


@router.post("/known", dependencies=[READ])
def known(app: App, body: KnownRequest) -> Known:
    """Return which of these digests a collection holds, so that known files need no upload."""
    record = app.catalogue.collections.named(body.collection)
    held = app.catalogue.images.known_among(record.id, body.sha256)
    return Known(collection=record.name, known=tuple(one for one in body.sha256 if one in held))


def _inside(prefix: str | None) -> str | None:
    """Return a prefix relative to its root, as paths are stored."""
    return prefix if prefix is None else prefix.lstrip("/")


@router.get("/images/{image_id}", dependencies=[READ])
def image(app: App, image_id: ImageId) -> Image:
    """Return one image."""
    return wire.image(app.catalogue.images.get(image_id))


@router.patch("/images/{image_id}", dependencies=[TRAIN])
def patch_image(app: App, image_id: ImageId, patch: ImagePatch) -> Image:
    """Replace the metadata of an image."""
    check_metadata(patch.metadata)
    app.catalogue.images.set_metadata(image_id, patch.metadata)
    return wire.image(app.catalogue.images.get(image_id))


@router.delete("/images/{image_id}", status_code=204, dependencies=[TRAIN])
def delete_image(app: App, image_id: ImageId) -> None:
    """Delete one image."""
    found = app.catalogue.images.get(image_id)
    record = app.catalogue.collections.named(found.collection)
    app.catalogue.images.delete(record.id, [image_id])
    app.changed()


@router.get("/images/{image_id}/content", response_class=Response, dependencies=[READ])
def content(request: Request, app: App, image_id: ImageId) -> Response:
    """Return the bytes that were indexed."""
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


@router.get("/images/{image_id}/thumbnail", response_class=Response, dependencies=[READ])
async def image_thumbnail(
    request: Request, app: App, image_id: ImageId, size: Side = 256
) -> Response:
    """Return a small WebP that fits in a square of `size` pixels."""
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
