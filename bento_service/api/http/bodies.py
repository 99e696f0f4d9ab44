"""Request bodies of routes that accept several forms: JSON, multipart, query string."""

from collections.abc import AsyncIterator, Callable, Collection, Coroutine, Mapping
from contextlib import asynccontextmanager
from typing import Annotated, Any, BinaryIO, TypeVar

from fastapi import Depends, Request, Response
from fastapi.routing import APIRoute
from pydantic import BaseModel, JsonValue
from starlette.datastructures import FormData, UploadFile

from bento_service.api.http.form_files import multipart_form
from bento_service.api.http.problems import parsed_json
from bento_service.application import Application
from bento_service.errors import BadRequest, InvalidArgument, NotReady
from bento_service.filters.values import check_metadata
from bento_service.storage.file_size import oversize
from bento_service.strict_json import JsonError, read_json

_MAX_FILES = 20_000
_MAX_FIELDS = 50
_MAX_FIELD_BYTES = 2**18
_MULTIPART = "multipart/form-data"
_FORM_TYPES = (_MULTIPART, "application/x-www-form-urlencoded")

Model = TypeVar("Model", bound=BaseModel)


async def application(request: Request) -> Application:
    """Return the running application, or raise `NotReady` while the service starts."""
    running: Application | None = request.app.state.application
    if running is None:
        raise NotReady("the service is starting; try again in some seconds")
    return running


App = Annotated[Application, Depends(application)]


def is_form(request: Request) -> bool:
    """Return true if a request declares its body to be a form."""
    return request.headers.get("content-type", "").lower().startswith(_FORM_TYPES)


class _BoundedRequest(Request):
    async def json(self) -> Any:
        return parsed_json(await self.body())


class BoundedRoute(APIRoute):
    """A route whose JSON body is read within our limits when FastAPI reads it."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler of a request."""
        serve = super().get_route_handler()

        async def bounded(request: Request) -> Response:
            return await serve(_BoundedRequest(request.scope, request.receive))

        return bounded


async def json_body(request: Request, model: type[Model]) -> Model:
    """Return a JSON body as a wire model; the error handlers turn its errors into a problem."""
    return model.model_validate(parsed_json(await request.body()))


@asynccontextmanager
async def form_body(request: Request) -> AsyncIterator[FormData]:
    """Read a form; its files are deleted at the end of the block."""
    limits = {"max_fields": _MAX_FIELDS, "max_files": _MAX_FILES, "max_part_size": _MAX_FIELD_BYTES}
    kind = request.headers.get("content-type", "").lower()
    is_multipart = kind.startswith(_MULTIPART)
    body = multipart_form(request, **limits) if is_multipart else request.form(**limits)
    async with body as form:
        yield form


def uploaded(form: FormData, name: str) -> list[UploadFile]:
    """Return the files of a field, or raise `InvalidArgument` if it has none, or text."""
    values = form.getlist(name)
    files = [value for value in values if isinstance(value, UploadFile)]
    if not files or len(files) < len(values):
        raise InvalidArgument(f"the form has no file in its field {name!r}; send one")
    return files


def uploaded_pictures(app: Application, form: FormData, name: str) -> list[BinaryIO]:
    """Return the pictures of a field, or raise `TooLarge` if one is; see also `uploaded`."""
    files = uploaded(form, name)
    for file in files:
        check_size(app, file.size or 0)
    return [file.file for file in files]


def text_fields(form: FormData, *, without: Collection[str]) -> dict[str, str]:
    """Return the text fields of a form, without empty ones and those named in `without`.

    Raises:
        InvalidArgument: A text field holds a file.
    """
    fields: dict[str, str] = {}
    for name, value in form.multi_items():
        if name in without:
            continue
        if not isinstance(value, str):
            raise InvalidArgument(f"{name}: this field takes text, not a file")
        if value != "":
            fields[name] = value
    return fields


def check_size(app: Application, size: int) -> None:
    """Raise `TooLarge` if an encoded picture has more bytes than allowed."""
    if error := oversize(size, app.settings.max_upload_bytes):
        raise error


def parsed_metadata(text: str | None) -> dict[str, JsonValue]:
    """Return the metadata of a form's field, or raise `InvalidArgument` if it is no object."""
    return _checked_metadata(_metadata(text))


def file_metadata(
    text: str | None, count: int
) -> tuple[dict[str, JsonValue], list[dict[str, JsonValue] | None]]:
    """Return the metadata of all files of a form, and that of each: it is an object or a list.

    Raises:
        InvalidArgument: The field is neither, or the list has not `count` objects.
    """
    value = _metadata(text)
    if not isinstance(value, list):
        return _checked_metadata(value), [None] * count
    if len(value) != count:
        raise InvalidArgument(f"metadata: has {len(value)} objects for {count} files")
    return {}, [_checked_metadata(each) for each in value]


def _metadata(text: str | None) -> JsonValue:
    try:
        return {} if text is None else read_json(text)
    except JsonError as error:
        raise InvalidArgument(f"metadata: {error}; send an object") from error


def _checked_metadata(value: JsonValue) -> dict[str, JsonValue]:
    if not isinstance(value, dict):
        raise InvalidArgument("metadata: is not a JSON object")
    check_metadata(value)
    return value


def json_of(model: type[Model]) -> Any:
    """Return the dependency of a route on a JSON body, of any content type, as a wire model."""

    async def read(request: Request) -> Model:
        return await json_body(request, model)

    return Depends(read)


async def loose_parameters(request: Request) -> Mapping[str, Any]:
    """Return the parameters of the query string and of a JSON or form body; the body's win."""
    given: dict[str, Any] = dict(request.query_params)
    if request.method == "GET":
        return given
    if is_form(request):
        async with form_body(request) as form:
            given.update({name: value for name, value in form.items() if isinstance(value, str)})
    elif body := await request.body():
        given.update(parsed_json(body))
    return given


Parameters = Annotated[Mapping[str, Any], Depends(loose_parameters)]


def text_of(parameters: Mapping[str, Any], name: str, default: str = "") -> str:
    """Return a text parameter, the default if it is empty; raise `BadRequest` if it is no text."""
    value = parameters.get(name)
    if value is None or value == "":
        return default
    if not isinstance(value, str):
        raise BadRequest(f"{name}: is not text")
    return value
