"""Requests and answers of the fake service: forms, pages, problem documents."""

import io
from collections.abc import Sequence
from typing import Any, TypeVar

import httpx
from pydantic import BaseModel
from python_multipart.multipart import parse_form

from bento_service.api.paging import position
from bento_service.errors import LookalikeError
from client_sdk.schemas import Job, JobState, Problem

Answer = BaseModel | dict[str, Any] | httpx.Response | None
File = tuple[str, str, bytes]
"""Name of the form's field, name of the file, bytes."""

_T = TypeVar("_T")
_RETRY_AFTER = {429: "1", 503: "2"}


def response_to(answer: Answer) -> httpx.Response:
    """An answer on its way."""
    if isinstance(answer, httpx.Response):
        return answer
    if answer is None:
        return httpx.Response(204)
    if isinstance(answer, BaseModel):
        headers = {"content-type": "application/json"}
        return httpx.Response(200, content=answer.model_dump_json(), headers=headers)
    return httpx.Response(200, json=answer)


def accepted(job: Job) -> httpx.Response:
    """The answer to a call that has started a job: how it stood then."""
    zeros = dict.fromkeys(("total", "done", "indexed", "duplicates", "failed"), 0)
    begun = {"state": JobState.PENDING, "started_at": None, "finished_at": None, "errors": ()}
    body = job.model_copy(update={**zeros, **begun}).model_dump_json()
    headers = {"content-type": "application/json", "location": f"/api/v2/jobs/{job.id}"}
    return httpx.Response(202, content=body, headers=headers)


def refusal(error: LookalikeError) -> httpx.Response:
    """A failure as the service answers it."""
    problem = Problem(
        title=error.title,
        status=error.status,
        detail=str(error),
        code=error.code,
        request_id="fake",
    )
    headers = {"content-type": "application/problem+json"}
    if error.status in _RETRY_AFTER:
        headers["retry-after"] = _RETRY_AFTER[error.status]
    return httpx.Response(error.status, content=problem.model_dump_json(), headers=headers)


def is_form(request: httpx.Request) -> bool:
    """Whether the body is a form with files."""
    return request.headers.get("content-type", "").startswith("multipart/form-data")


def form(request: httpx.Request) -> tuple[dict[str, str], list[File]]:
    """The text fields of a form, empty ones left out, and its files."""
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
    given: httpx.QueryParams, found: Sequence[_T], usual: int
) -> tuple[tuple[_T, ...], str | None]:
    """One piece of a list, and where the next begins; a cursor is a place in the list."""
    begin = position(given.get("cursor")) or 0
    end = begin + int(given.get("limit", usual))
    return tuple(found[begin:end]), str(end) if end < len(found) else None
