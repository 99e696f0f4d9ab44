"""Searches by a picture, by a part of one, or by a stored image."""

import base64
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from io import BytesIO
from typing import Any, BinaryIO

from fastapi import APIRouter, Request

from bento_service.api import wire
from bento_service.api.auth.access import SEARCH, sender_of
from bento_service.api.http.bodies import (
    App,
    check_size,
    form_body,
    is_form,
    json_body,
    text_fields,
    uploaded_pictures,
)
from bento_service.api.openapi import FILE, body_of, form_content, json_content
from bento_service.application import Application
from bento_service.comparison.comparer import Subject
from bento_service.errors import InvalidArgument
from bento_service.filters.parser import parse
from bento_service.requests import SearchOptions, SearchRequest
from bento_service.search.query import Query
from client_sdk.schemas import Descriptor, SearchResponse

router = APIRouter(prefix="/api/v2")


def _search_form() -> dict[str, Any]:
    fields: dict[str, Any] = SearchOptions.model_json_schema()["properties"]
    region = {"type": "string", "description": "x,y,width,height"}
    return form_content("file", file=FILE, **{**fields, "region": region})


@router.post(
    "/search",
    dependencies=[SEARCH],
    openapi_extra=body_of(_search_form(), json_content(SearchRequest)),
)
async def search(request: Request, app: App) -> SearchResponse:
    """Find the images that look like a picture or like a stored image."""
    started = time.perf_counter()
    sender = sender_of(request)
    async with _asked(request, app) as (options, subject):
        query = _query(options)
        if isinstance(subject, int):
            result = await app.searcher.by_stored_image(query, subject)
        else:
            result = await app.searcher.by_picture(
                query, subject, region=options.region, sender=sender
            )
    request.app.state.metrics.observe_search(result)
    return wire.search_response(
        app,
        options.collection,
        result,
        explain=options.explain,
        took_ms=1000 * (time.perf_counter() - started),
    )


@router.post(
    "/describe",
    dependencies=[SEARCH],
    openapi_extra=body_of(_search_form(), json_content(SearchRequest)),
)
async def describe(request: Request, app: App) -> Descriptor:
    """Return the descriptor of a picture or a stored image; other options are ignored."""
    sender = sender_of(request)
    async with _asked(request, app) as (options, subject):
        space, vector = await app.comparer.describe(
            subject,
            collection=options.collection,
            region=options.region,
            sender=sender,
        )
    return Descriptor(
        descriptor=space.descriptor, fingerprint=space.fingerprint, vector=tuple(vector.tolist())
    )


@asynccontextmanager
async def _asked(
    request: Request, app: Application
) -> AsyncIterator[tuple[SearchOptions, Subject]]:
    """Yield a search's options and subject; a picture's file is open within the block."""
    if is_form(request):
        async with form_body(request) as form:
            picture, *more = uploaded_pictures(app, form, "file")
            if more:
                raise InvalidArgument("file: send one picture at a time")
            yield SearchOptions.from_form(text_fields(form, without={"file"})), picture
        return
    body = await json_body(request, SearchRequest)
    if [body.image, body.image_id, body.url].count(None) != 2:
        raise InvalidArgument("give exactly one of `image` (base64), `image_id` and `url`")
    if body.url is not None:
        if app.fetcher is None:
            raise InvalidArgument(
                "url: fetching is off; send the picture's bytes, or ask the operator for "
                "LOOKALIKE_URLS=1"
            )
        async with app.fetcher.picture(body.url) as fetched:
            yield body, fetched
    elif body.image_id is not None:
        if body.region is not None:
            raise InvalidArgument("region: goes with a picture, not with a stored image")
        yield body, body.image_id
    else:
        yield body, _decoded(app, body.image or "")


def _decoded(app: Application, image: str) -> BinaryIO:
    try:
        picture = base64.b64decode(image, validate=True)
    except ValueError as error:
        raise InvalidArgument("image: is not base64") from error
    check_size(app, len(picture))
    return BytesIO(picture)


def _query(options: SearchOptions) -> Query:
    return Query(
        collection=options.collection,
        top_k=options.top_k,
        offset=options.offset,
        min_score=options.min_score,
        which=None if options.filter is None else parse(options.filter),
        exact=options.exact,
    )
