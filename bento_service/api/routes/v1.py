"""Version 1: the wire format of the published system that this one replaces.

Its clients work unchanged. Failures have a real status and one line of text.
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, PlainTextResponse, Response

from bento_service.api import wire
from bento_service.api.auth.access import READ, SEARCH, TRAIN, sender_of
from bento_service.api.http.bodies import (
    App,
    Parameters,
    form_body,
    is_form,
    text_fields,
    text_of,
    uploaded_pictures,
)
from bento_service.api.http.forwarded import public_url
from bento_service.api.routes.images import content
from bento_service.catalogue.records import ImageRecord
from bento_service.errors import BadRequest, ImageNotFound, InvalidArgument
from bento_service.ingest.starting.folder_jobs import start_folder_job
from bento_service.requests import TrainRequest
from bento_service.search.query import Query
from client_sdk.schemas import DEFAULT_COLLECTION, MAX_TOP_K

router = APIRouter(include_in_schema=False)


@router.post("/api/v1/train", dependencies=[TRAIN])
async def train(app: App, parameters: Parameters) -> Response:
    """Index a folder on the server."""
    folder = text_of(parameters, "File")
    if not folder:
        raise InvalidArgument("File: name the folder to index")
    request = TrainRequest(path=folder, collection=_table(parameters))
    await run_in_threadpool(start_folder_job, app.catalogue, app.roots, app.computed, request)
    app.worker.wake()
    return PlainTextResponse("Start")


@router.get("/api/v1/process", dependencies=[READ])
def process(app: App) -> Response:
    """Return the progress of the newest job; equal numbers mean that it has ended.

    While a folder is listed, as many files may be done as are known, or none at all.
    """
    newest = next(iter(app.catalogue.jobs.page(before=None, limit=1)), None)
    done, total = (newest.done, newest.total) if newest else (0, 0)
    if newest and not newest.state.is_final:
        total = max(total, done + 1)
    return PlainTextResponse(f"current: {done}, total: {total}")


@router.post("/api/v1/count", dependencies=[READ])
def count(app: App, parameters: Parameters) -> Response:
    """Count the images of a table."""
    collection = app.catalogue.collections.named(_table(parameters))
    return PlainTextResponse(str(app.catalogue.images.count(collection.id)))


@router.post("/api/v1/search", dependencies=[SEARCH])
async def search(request: Request, app: App) -> Response:
    """Return pairs of an image's URL and its Euclidean distance, nearest first."""
    if not is_form(request):
        raise BadRequest("file: send the picture as multipart/form-data")
    async with form_body(request) as form:
        picture = uploaded_pictures(app, form, "file")[0]
        query = _query({**request.query_params, **text_fields(form, without={"file"})})
        result = await app.searcher.by_picture(query, picture, sender=sender_of(request))
    request.app.state.metrics.observe_search(result)
    origin = public_url(request)
    # Hits with the same score are in the order of ids, which need not be that of distances.
    hits = sorted(result.hits, key=lambda hit: hit.distance)
    return JSONResponse([[f"{origin}{_address(hit.image)}", hit.distance] for hit in hits])


@router.post("/api/v1/delete", dependencies=[TRAIN])
def delete(app: App, parameters: Parameters) -> Response:
    """Empty a table."""
    collection = app.catalogue.collections.named(_table(parameters))
    deleted = app.catalogue.images.delete_all(collection.id)
    app.changed()
    return PlainTextResponse(f"deleted {deleted} images of {collection.name}")


@router.get("/data/{image}", dependencies=[READ])
@router.get("/data/{image}/{name}", dependencies=[READ])
def data(request: Request, app: App, image: str) -> Response:
    """Return the bytes of an image; only the id counts, which an extension or a name may follow."""
    image_id = image.split(".", 1)[0]
    if not (image_id.isascii() and image_id.isdigit() and len(image_id) < 19):
        raise ImageNotFound(f"there is no image {image!r}")
    return content(request, app, int(image_id))


def _table(parameters: Mapping[str, Any]) -> str:
    return text_of(parameters, "Table", DEFAULT_COLLECTION)


def _query(parameters: dict[str, str]) -> Query:
    number = _whole(parameters, "Num", default=1, low=1, high=MAX_TOP_K)
    page = _whole(parameters, "Page", default=0, low=0, high=MAX_TOP_K)
    return Query(_table(parameters), top_k=number, offset=page * number)


def _whole(parameters: dict[str, str], name: str, *, default: int, low: int, high: int) -> int:
    text = parameters.get(name, str(default))
    if not (text.isascii() and text.isdigit() and len(text) < 10 and low <= int(text) <= high):
        raise InvalidArgument(f"{name}: is {text[:40]!r}; give a number from {low} to {high}")
    return int(text)


def _address(image: ImageRecord) -> str:
    """Return the path of an image, which ends with the name of its file."""
    return f"/data/{image.id}/{quote(wire.image_name(image), safe='')}"
