"""Version 2 of the HTTP contract: training, searching, counting, deleting."""

import base64
import binascii
import time
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.concurrency import run_in_threadpool

from bento_service.api import wire
from bento_service.api.auth.access import sender_of
from bento_service.api.http.bodies import (
    App,
    check_size,
    form_body,
    is_form,
    json_body,
    loose_parameters,
    text_fields,
    text_of,
    uploaded,
)
from bento_service.api.http.idempotency import IdempotencyKey
from bento_service.api.openapi import documented
from bento_service.api.routes.jobs import accepted
from bento_service.api.routes.train import start_training, train_form
from bento_service.application import Application
from bento_service.errors import InvalidArgument
from bento_service.filters.expressions import Expression
from bento_service.filters.parser import parse
from bento_service.search.query import Query, SearchResult
from client_sdk.schemas import (
    DEFAULT_COLLECTION,
    Count,
    Deleted,
    DeleteRequest,
    Job,
    SearchOptions,
    SearchRequest,
    SearchResponse,
    TrainRequest,
)

router = APIRouter(prefix="/api/v2")


@router.post("/train", status_code=202, response_model=Job, openapi_extra=documented("train"))
async def train(
    request: Request, response: Response, app: App, idempotency_key: IdempotencyKey = None
) -> Job:
    """Index a folder that the service can read, uploaded pictures and archives, or a manifest.

    The work goes on in the background; `Location` says where to watch it.
    """
    if is_form(request):
        record = await train_form(request, app, idempotency_key)
    else:
        body = await json_body(request, TrainRequest)
        record = await run_in_threadpool(start_training, app, body, idempotency_key)
    return await accepted(response, app, record)


@router.get("/process", response_model=Job)
def process(app: App, job: str | None = None) -> Job:
    """How far a job has come, the newest one if none is named."""
    if job is not None:
        return wire.job(app, app.catalogue.jobs.get(job))
    newest = app.catalogue.jobs.page(before=None, limit=1)
    return wire.job(app, newest[0]) if newest else wire.idle_job(DEFAULT_COLLECTION)


@router.get("/count", response_model=Count)
@router.post("/count", response_model=Count, openapi_extra=documented("count"))
async def count(request: Request, app: App) -> Count:
    """How many images a collection holds, or how many of them pass a filter."""
    parameters = await loose_parameters(request)
    name = text_of(parameters, "collection", DEFAULT_COLLECTION)
    expression = text_of(parameters, "filter")
    return await run_in_threadpool(_count, app, name, parse(expression) if expression else None)


def _count(app: Application, name: str, which: Expression | None) -> Count:
    collection = app.catalogue.collections.named(name)
    if which is not None:
        passing = app.catalogue.filtered.count(collection.id, which)
        return Count(collection=name, count=passing)
    return Count(collection=name, count=app.catalogue.images.count(collection.id))


@router.post("/search", response_model=SearchResponse, openapi_extra=documented("search"))
async def search(request: Request, app: App) -> SearchResponse:
    """The images that look like a picture, or like a stored image."""
    started = time.perf_counter()
    if is_form(request):
        options, result = await _search_with_upload(request, app)
    else:
        body = await json_body(request, SearchRequest)
        options, result = body, await _search_with_json(app, body, sender_of(request))
    return wire.search_response(
        app,
        options.collection,
        result,
        explain=options.explain,
        took_ms=1000 * (time.perf_counter() - started),
    )


async def _search_with_upload(
    request: Request, app: Application
) -> tuple[SearchOptions, SearchResult]:
    async with form_body(request) as form:
        file, *more = uploaded(form, "file")
        if more:
            raise InvalidArgument("file: send one picture at a time")
        fields: dict[str, Any] = {**text_fields(form, without={"file"})}
        if "region" in fields:
            fields["region"] = fields["region"].split(",")
        options = SearchOptions.model_validate(fields)
        check_size(app, file.size or 0)
        return options, await app.searcher.by_picture(
            _query(options), file.file, region=options.region, sender=sender_of(request)
        )


async def _search_with_json(app: Application, body: SearchRequest, sender: str) -> SearchResult:
    if [body.image, body.image_id, body.url].count(None) != 2:
        raise InvalidArgument("give exactly one of `image` (base64), `image_id` and `url`")
    if body.url is not None:
        return await _search_with_url(app, body, body.url, sender)
    if body.image_id is not None:
        if body.region is not None:
            raise InvalidArgument("region: goes with a picture, not with a stored image")
        return await app.searcher.by_id_async(_query(body), body.image_id)
    try:
        picture = base64.b64decode(body.image or "", validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidArgument("image: is not base64") from error
    check_size(app, len(picture))
    return await app.searcher.by_picture(_query(body), picture, region=body.region, sender=sender)


async def _search_with_url(
    app: Application, options: SearchOptions, url: str, sender: str
) -> SearchResult:
    if app.fetcher is None:
        raise InvalidArgument(
            "url: fetching is off; send the picture's bytes, or ask the operator for "
            "LOOKALIKE_URLS=1"
        )
    query = _query(options)
    async with app.fetcher.picture(url) as file:
        return await app.searcher.by_picture(query, file, region=options.region, sender=sender)


def _query(options: SearchOptions) -> Query:
    which = None if options.filter is None else parse(options.filter)
    return Query(
        collection=options.collection,
        top_k=options.top_k,
        offset=options.offset,
        min_score=options.min_score,
        which=which,
        exact=options.exact,
    )


@router.post("/delete", response_model=Deleted, openapi_extra=documented("delete"))
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
