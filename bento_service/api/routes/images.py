"""Images: counting, listing, reading, changing and deleting them."""

from datetime import UTC, datetime
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel, BeforeValidator, ConfigDict
from pydantic_core import PydanticCustomError

from bento_service.api import wire
from bento_service.api.auth.access import READ, TRAIN, sender_of
from bento_service.api.http.bodies import App, BoundedRoute, Parameters, json_of, text_of
from bento_service.api.http.paging import (
    Limit,
    decoded_cursor,
    encoded_cursor,
    foreign_cursor,
    position,
)
from bento_service.api.openapi import COLLECTION, body_of, json_content
from bento_service.api.pages import ImageList
from bento_service.catalogue.images.orders import Key, Order, key_of
from bento_service.catalogue.records import ImageRecord
from bento_service.errors import InvalidArgument
from bento_service.filters.parser import parse
from bento_service.filters.values import check_metadata
from bento_service.requests import FILTER_LANGUAGE, DeleteRequest, KnownRequest
from client_sdk.decoding.formats import MEDIA_TYPES
from client_sdk.schemas import DEFAULT_COLLECTION, Count, Deleted, Image, Known

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
# Under a digest it does not ask: ids are never reused, so the answer stays the same.
_KEPT_FOR_GOOD = "private, max-age=31536000, immutable"

_MIN_DIGEST = 16


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


@router.get("/count", dependencies=[READ])
@router.post(
    "/count",
    dependencies=[READ],
    openapi_extra=body_of(_count_body(), required=False),
)
def count(app: App, parameters: Parameters) -> Count:
    """Count the images of a collection, or those that pass a filter."""
    name = text_of(parameters, "collection", DEFAULT_COLLECTION)
    expression = text_of(parameters, "filter")
    which = parse(expression) if expression else None
    collection = app.catalogue.collections.named(name)
    if which is not None:
        return Count(collection=name, count=app.catalogue.filtered.count(collection.id, which))
    return Count(collection=name, count=app.catalogue.images.count(collection.id))


@router.post(
    "/delete",
    dependencies=[TRAIN],
    openapi_extra=body_of(json_content(DeleteRequest)),
)
def delete(app: App, body: Annotated[DeleteRequest, json_of(DeleteRequest)]) -> Deleted:
    """Delete images by id, those that pass a filter, or all of a collection."""
    named = [body.ids is not None, body.filter is not None, body.all]
    if named.count(True) != 1 or body.ids == ():
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
    filter: Filter = None,
    sort: Order = Order.ID,
    limit: Limit = 100,
    cursor: str | None = None,
) -> ImageList:
    """List images of a collection, all or those that pass a filter."""
    which = None if filter is None else parse(filter)
    record = app.catalogue.collections.named(collection)
    found = app.catalogue.images.page(
        record.id,
        order=sort,
        after=_place(sort, cursor),
        limit=limit + 1,
        prefix=_inside(prefix),
        which=which,
    )
    shown = found[:limit]
    return ImageList(
        images=tuple(map(wire.image, shown)),
        next_cursor=_cursor(sort, shown[-1]) if len(found) > limit else None,
    )


def _cursor(order: Order, last: ImageRecord) -> str:
    key = key_of(order, last)
    if len(key) == 1:
        return str(last.id)
    return encoded_cursor(key[0].isoformat() if order.is_by_time else key[0], last.id)


def _place(order: Order, cursor: str | None) -> Key | None:
    if cursor is None:
        return None
    if order in (Order.ID, Order.ID_DESCENDING):
        return (position(cursor),)
    first, image_id = decoded_cursor(cursor, str, int)
    if not order.is_by_time:
        return (first, image_id)
    try:
        return (datetime.fromisoformat(first).astimezone(UTC), image_id)
    except (ValueError, OverflowError) as error:
        raise foreign_cursor() from error


@router.post("/known", dependencies=[READ])
def known(app: App, body: KnownRequest) -> Known:
    """Return which of these digests a collection has, and their ids; these need no upload."""
    record = app.catalogue.collections.named(body.collection)
    ids = app.catalogue.images.known_among(record.id, body.sha256)
    present = tuple(digest for digest in body.sha256 if digest in ids)
    return Known(collection=record.name, known=present, ids=ids)


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
    name = quote(wire.image_name(found))
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
    request: Request,
    app: App,
    image_id: ImageId,
    size: Side = 256,
    digest: Annotated[str, Query(max_length=64, description="the start of its SHA-256")] = "",
) -> Response:
    """Return a small WebP that fits in a square of `size` pixels; with its `digest`, cacheable."""
    found = await run_in_threadpool(app.catalogue.images.get, image_id)
    etag = f'"{found.sha256}-{size}"'
    if request.headers.get("if-none-match") == etag:
        return Response(status_code=304, headers={"ETag": etag})
    small = await app.thumbnail(found, side=size, sender=sender_of(request))
    is_named = len(digest) >= _MIN_DIGEST and found.sha256.startswith(digest)
    return Response(
        small,
        media_type="image/webp",
        headers={
            "ETag": etag,
            "Cache-Control": _KEPT_FOR_GOOD if is_named else _KEPT,
            "X-Content-Type-Options": "nosniff",
        },
    )
