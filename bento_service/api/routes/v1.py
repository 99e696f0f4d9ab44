"""Version 1: the wire format of the published system that this one replaces.

Its clients work unchanged. Failures have a real status and one line of text.
"""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, PlainTextResponse, Response

from bento_service.api.auth.access import READ, SEARCH, TRAIN, sender_of
from bento_service.api.http.bodies import (
    App,
    check_size,
    form_body,
    is_form,
    loose_parameters,
    text_fields,
    text_of,
    uploaded,
)
from bento_service.api.http.forwarded import public_url
from bento_service.api.routes.images import content
from bento_service.errors import BadRequest, ImageNotFound, InvalidArgument
from bento_service.ingest.starting.folder_jobs import start_folder_job
from bento_service.search.query import Query
from client_sdk.schemas import DEFAULT_COLLECTION, MAX_TOP_K, TrainRequest

router = APIRouter(include_in_schema=False)

Parameters = Annotated[dict[str, Any], Depends(loose_parameters)]
_EXTENSIONS = {"JPEG": "jpg", "TIFF": "tif"}


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
    """Return the progress of the newest job."""
    newest = app.catalogue.jobs.page(before=None, limit=1)
    done, total = (newest[0].done, newest[0].total) if newest else (0, 0)
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
        file = uploaded(form, "file")[0]
        parameters = {**request.query_params, **text_fields(form, without={"file"})}
        check_size(app, file.size or 0)
        result = await app.searcher.by_picture(
            _query(parameters), file.file, sender=sender_of(request)
        )
    origin = public_url(request)
    return JSONResponse(
        [
            [f"{origin}/data/{found.image.id}.{_extension(found.image.format)}", found.distance]
            for found in result.hits
        ]
    )


@router.post("/api/v1/delete", dependencies=[TRAIN])
def delete(app: App, parameters: Parameters) -> Response:
    """Empty a table."""
    collection = app.catalogue.collections.named(_table(parameters))
    deleted = app.catalogue.images.delete_all(collection.id)
    app.changed()
    return PlainTextResponse(f"deleted {deleted} images of {collection.name}")


@router.get("/data/{image}", dependencies=[READ])
def data(request: Request, app: App, image: str) -> Response:
    """Return the bytes of an image."""
    image_id = image.split(".", 1)[0]
    if not (image_id.isascii() and image_id.isdigit() and len(image_id) < 19):
        raise ImageNotFound(f"there is no image {image!r}")
    return content(request, app, int(image_id))


def _table(parameters: dict[str, Any]) -> str:
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


def _extension(format_: str) -> str:
    return _EXTENSIONS.get(format_, format_.lower())
