"""Requests and answers of the fake service: forms, pages, problem documents."""

import hashlib
import io
import re
from collections.abc import Sequence
from typing import Any, TypeVar
from uuid import uuid4

import httpx
from pydantic import BaseModel
from python_multipart.multipart import parse_form

from bento_service.api.http.paging import position
from bento_service.errors import InvalidArgument, LookalikeError
from client_sdk.schemas import Job, JobState, Problem

Answer = BaseModel | dict[str, Any] | httpx.Response | None
File = tuple[str, str, bytes]
"""Name of the form's field, name of the file, bytes."""

_T = TypeVar("_T")
_RETRY_AFTER = {429: "1", 503: "2"}


def response_to(answer: Answer) -> httpx.Response:
    """Return the HTTP response for an answer."""
    if isinstance(answer, httpx.Response):
        return answer
    if answer is None:
        return httpx.Response(204)
    if isinstance(answer, BaseModel):
        headers = {"content-type": "application/json"}
        return httpx.Response(200, content=answer.model_dump_json(), headers=headers)
    return httpx.Response(200, json=answer)


def accepted(job: Job, *, is_new: bool = True) -> httpx.Response:
    """Return the answer to a call that started a job, or that repeats such a call."""
    zeros = dict.fromkeys(("total", "done", "indexed", "duplicates", "failed"), 0)
    begun = {"state": JobState.PENDING, "started_at": None, "finished_at": None, "errors": ()}
    changed = {**zeros, **begun} if is_new else {}
    body = job.model_copy(update=changed).model_dump_json()
    headers = {"content-type": "application/json", "location": f"/api/v2/jobs/{job.id}"}
    return httpx.Response(202, content=body, headers=headers)


def request_id(request: httpx.Request) -> str:
    """Return the caller's own request id if it is valid, or a new one."""
    given = request.headers.get("x-request-id", "")
    return given if re.fullmatch(r"[A-Za-z0-9._-]{1,64}", given) else uuid4().hex


def unknown(request: httpx.Request, own: str, allowed: Sequence[str]) -> httpx.Response:
    """Return the answer for an unknown path, or for a path without this method."""
    method, path = request.method, request.url.path
    status, code, title = 404, "not_found", "Not found"
    if allowed:
        status, code, title = 405, "method_not_allowed", "Method not allowed"
    detail = f"there is no {method} {path}; /openapi.json lists what there is"
    body = Problem(title=title, status=status, detail=detail, code=code, request_id=own)
    headers = {"content-type": "application/problem+json", "allow": ", ".join(sorted(allowed))}
    return httpx.Response(status, content=body.model_dump_json(), headers=headers)


def refusal(error: LookalikeError, own: str) -> httpx.Response:
    """Return the answer of the service to a failure, for the request of this id."""
    problem = Problem(
        title=error.title, status=error.status, detail=str(error), code=error.code, request_id=own
    )
    headers = {"content-type": "application/problem+json"}
    if error.status in _RETRY_AFTER:
        headers["retry-after"] = _RETRY_AFTER[error.status]
    return httpx.Response(error.status, content=problem.model_dump_json(), headers=headers)


def is_form(request: httpx.Request) -> bool:
    """Return true if the body is a form."""
    kind = request.headers.get("content-type", "")
    return kind.startswith(("multipart/form-data", "application/x-www-form-urlencoded"))


def form(request: httpx.Request) -> tuple[dict[str, str], list[File]]:
    """Return the text fields of a form, empty ones left out, and its files."""
    fields: dict[str, str] = {}
    files: list[File] = []

    def on_field(field: Any) -> None:
        if field.value:
            fields[field.field_name.decode()] = field.value.decode()

    def on_file(file: Any) -> None:
        file.file_object.seek(0)
        name = (file.file_name or b"").decode()
        files.append((file.field_name.decode(), name, file.file_object.read()))

    headers = {"Content-Type": request.headers["content-type"].encode()}
    parse_form(headers, io.BytesIO(request.content), on_field, on_file)
    return fields, files


def page(
    given: httpx.QueryParams, found: Sequence[_T], usual: int, *, newest_first: bool = False
) -> tuple[tuple[_T, ...], str | None]:
    """Return a page of a list, and the cursor of the next one; a cursor is a place in the list.

    Args:
        given: `cursor` and `limit`.
        found: The whole list, oldest first.
        usual: The default of `limit`.
        newest_first: List from the end; later additions do not move the pages.
    """
    text = given.get("limit", str(usual))
    if not text.isdigit() or not 1 <= int(text) <= 1000:
        raise InvalidArgument(f"limit: is {text!r}; give a number from 1 to 1000")
    if newest_first:
        end = position(given.get("cursor"))
        end = len(found) if end is None else end
        begin = max(end - int(text), 0)
        return tuple(reversed(found[begin:end])), str(begin) if begin else None
    begin = position(given.get("cursor")) or 0
    end = begin + int(text)
    return tuple(found[begin:end]), str(end) if end < len(found) else None


def number_of(text: str) -> int:
    """Return the id in a path."""
    if not (text.isascii() and text.isdigit()):
        raise InvalidArgument(f"image_id: {text!r} is no number")
    return int(text)


def event(job: Job, seen: str | None) -> httpx.Response:
    """Return a job that is done, as the one event that follows; nothing if that was seen."""
    own = hashlib.sha256(job.model_dump_json().encode()).hexdigest()[:16]
    if seen == own:
        return httpx.Response(204)
    text = f"event: job\ndata: {job.model_dump_json()}\nid: {own}\n\n"
    headers = {
        "content-type": "text/event-stream",
        "cache-control": "no-cache",
        "x-accel-buffering": "no",
    }
    return httpx.Response(200, text=text, headers=headers)
