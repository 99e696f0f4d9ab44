"""Comparing two pictures, and grouping the duplicates of a collection."""

from fastapi import APIRouter, Request
from starlette.datastructures import FormData

from bento_service.api import wire
from bento_service.api.auth.access import SEARCH, sender_of
from bento_service.api.http.bodies import (
    App,
    form_body,
    is_form,
    json_body,
    text_fields,
    uploaded_pictures,
)
from bento_service.api.http.paging import position
from bento_service.api.openapi import COLLECTION, FILE, body_of, form_content, json_content
from bento_service.api.pages import DuplicateGroups
from bento_service.application import Application
from bento_service.comparison.comparer import Subject
from bento_service.comparison.duplicate_groups import GroupQuery
from bento_service.errors import InvalidArgument
from bento_service.requests import CompareForm, CompareRequest, DuplicatesRequest
from client_sdk.schemas.compare import Comparison

router = APIRouter(prefix="/api/v2")

_FILES = {"a", "b"}
_ID = {"type": "integer", "description": "of a stored image, instead of the picture"}


@router.post(
    "/compare",
    dependencies=[SEARCH],
    openapi_extra=body_of(
        form_content(None, a=FILE, b=FILE, a_id=_ID, b_id=_ID, collection=COLLECTION),
        json_content(CompareRequest),
    ),
)
async def compare(request: Request, app: App) -> Comparison:
    """Decide whether two pictures, sent or stored, are the same, nearly the same or similar."""
    if not is_form(request):
        body = await json_body(request, CompareRequest)
        return await _compared(request, app, body.a_id, body.b_id, body.collection)
    async with form_body(request) as form:
        fields = CompareForm.from_form(text_fields(form, without=_FILES))
        a = _subject(app, form, "a", fields.a_id)
        b = _subject(app, form, "b", fields.b_id)
        return await _compared(request, app, a, b, fields.collection)


async def _compared(
    request: Request, app: Application, a: Subject, b: Subject, collection: str
) -> Comparison:
    sender = sender_of(request)
    found = await app.comparer.compare(a, b, collection=collection, sender=sender)
    return wire.comparison(app, collection, found)


def _subject(app: Application, form: FormData, name: str, image_id: int | None) -> Subject:
    """Return one of the two subjects of a form.

    Raises:
        InvalidArgument: It names none, or more than one.
        TooLarge: Its picture has too many bytes.
    """
    sent = form.getlist(name)
    if len(sent) + (image_id is not None) != 1:
        raise InvalidArgument(f"give exactly one of `{name}`, a picture, and `{name}_id`")
    if image_id is not None:
        return image_id
    (picture,) = uploaded_pictures(app, form, name)
    return picture


@router.post(
    "/duplicates",
    dependencies=[SEARCH],
    openapi_extra=body_of(json_content(DuplicatesRequest), required=False),
)
async def duplicates(request: Request, app: App) -> DuplicateGroups:
    """Group the images that are the same picture or nearly so.

    A page before the last one may be short or empty: the service bounds the time of each page.
    """
    body = DuplicatesRequest()
    if await request.body():
        body = await json_body(request, DuplicatesRequest)
    query = GroupQuery(
        collection=body.collection,
        min_score=body.min_score,
        after=position(body.cursor) or 0,
        limit=body.limit,
    )
    return wire.duplicate_groups(app, body.collection, await app.duplicates.page_async(query))
