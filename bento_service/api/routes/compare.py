"""Version 2 of the HTTP contract: whether pictures are the same, and which ones of many."""

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict
from starlette.datastructures import FormData

from bento_service.api import compare_wire
from bento_service.api.auth.access import sender_of
from bento_service.api.http.bodies import (
    App,
    check_size,
    form_body,
    is_form,
    json_body,
    text_fields,
    uploaded,
)
from bento_service.api.http.paging import position
from bento_service.api.openapi import documented
from bento_service.application import Application
from bento_service.comparison.comparer import Subject
from bento_service.comparison.duplicate_groups import Wanted
from bento_service.errors import InvalidArgument
from client_sdk.schemas import DEFAULT_COLLECTION
from client_sdk.schemas.compare import (
    CompareRequest,
    Comparison,
    DuplicateGroups,
    DuplicatesRequest,
)

router = APIRouter(prefix="/api/v2")

_FILES = {"a", "b"}


class _Fields(BaseModel):
    """The text fields of a form."""

    model_config = ConfigDict(extra="forbid")

    collection: str = DEFAULT_COLLECTION
    a_id: int | None = None
    b_id: int | None = None


@router.post("/compare", response_model=Comparison, openapi_extra=documented("compare"))
async def compare(request: Request, app: App) -> Comparison:
    """Whether two pictures are the same, nearly so, or only similar; each sent or stored."""
    if not is_form(request):
        body = await json_body(request, CompareRequest)
        return await _compared(request, app, body.a_id, body.b_id, body.collection)
    async with form_body(request) as form:
        fields = _Fields.model_validate(text_fields(form, without=_FILES))
        a = _subject(app, form, "a", fields.a_id)
        b = _subject(app, form, "b", fields.b_id)
        return await _compared(request, app, a, b, fields.collection)


async def _compared(
    request: Request, app: Application, a: Subject, b: Subject, collection: str
) -> Comparison:
    sender = sender_of(request)
    found = await app.comparer.compare(a, b, collection=collection, sender=sender)
    return compare_wire.comparison(app, collection, found)


def _subject(app: Application, form: FormData, name: str, image_id: int | None) -> Subject:
    """One of the two that a form is about.

    Raises:
        InvalidArgument: It names none, or more than one.
        TooLarge: Its picture has too many bytes.
    """
    sent = form.getlist(name)
    if len(sent) + (image_id is not None) != 1:
        raise InvalidArgument(f"give exactly one of `{name}`, a picture, and `{name}_id`")
    if image_id is not None:
        return image_id
    (file,) = uploaded(form, name)
    check_size(app, file.size or 0)
    return file.file


@router.post("/duplicates", response_model=DuplicateGroups, openapi_extra=documented("duplicates"))
async def duplicates(request: Request, app: App) -> DuplicateGroups:
    """Groups of images that are the same picture or nearly so, found by searching.

    A page may be short, or empty, before the last one: the service looks for it only so long.
    """
    body = DuplicatesRequest()
    if await request.body():
        body = await json_body(request, DuplicatesRequest)
    wanted = Wanted(
        collection=body.collection,
        min_score=body.min_score,
        after=position(body.cursor) or 0,
        limit=body.limit,
    )
    return compare_wire.duplicate_groups(
        app, body.collection, await app.duplicates.page_aside(wanted)
    )
