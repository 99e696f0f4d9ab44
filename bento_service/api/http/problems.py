"""Failures as `application/problem+json` (RFC 9457), on version 1's routes as one line."""

import logging
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Match

from bento_service.errors import (
    BadRequest,
    InvalidArgument,
    LookalikeError,
    NotReady,
    Overloaded,
    TimeExceeded,
    TooLarge,
)
from bento_service.strict_json import JsonError, read_json
from client_sdk.schemas import Problem

_log = logging.getLogger(__name__)
_LINE_ROUTES = ("/api/v1/", "/data/")
_METHODS = ("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT")
_ASKED = ("type", "path", "root_path", "headers", "app")
_RETRY_AFTER_SECONDS = {429: "1", 503: "2"}
_CODES = {
    404: "not_found",
    405: "method_not_allowed",
    413: TooLarge.code,
    503: NotReady.code,
    504: TimeExceeded.code,
}


def install(app: FastAPI) -> None:
    """Install the handlers of an app's failures."""
    app.add_exception_handler(LookalikeError, _ours)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(ValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(ClientDisconnect, _gone)


def answer(request: Request, status: int, code: str, title: str, detail: str) -> Response:
    """Return a failure in the form of the called route."""
    headers = {}
    if status in _RETRY_AFTER_SECONDS:
        headers["Retry-After"] = _RETRY_AFTER_SECONDS[status]
    if status == HTTPStatus.REQUEST_TIMEOUT:
        headers["Connection"] = "close"  # the rest of the body is not read
    if request_id := request.scope.get("lookalike_request_id"):
        headers["X-Request-ID"] = request_id
    if is_line_route(request):
        line = " ".join(f"{title}: {detail}".split())
        return PlainTextResponse(line, status, headers)
    problem = Problem(title=title, status=status, detail=detail, code=code, request_id=request_id)
    kind = "application/problem+json"
    return Response(problem.model_dump_json(), status, headers, media_type=kind)


def answer_error(request: Request, error: LookalikeError) -> Response:
    """Return the answer for an error of the service."""
    refusal = answer(request, error.status, error.code, error.title, str(error))
    if isinstance(error, Overloaded) and error.retry_after is not None:
        refusal.headers["Retry-After"] = str(error.retry_after)
    return refusal


def answer_status(request: Request, status: int, detail: str) -> Response:
    """Return the answer for a failure of which only the status is known."""
    if status == 404:
        detail = f"there is no route {request.url.path}; /openapi.json lists the routes"
    if status == 405:
        detail = f"{request.url.path} does not accept {request.method}; see the Allow header"
    usual = BadRequest.code if status < 500 else LookalikeError.code
    title = HTTPStatus(status).phrase
    return answer(request, status, _CODES.get(status, usual), title, detail)


def answer_defect(request: Request, error: Exception) -> Response:
    """Return the answer for an unexpected exception, and log the exception."""
    _log.error(
        "%s %s failed, request_id=%s",
        request.method,
        request.url.path,
        request.scope.get("lookalike_request_id", "-"),
        exc_info=error,
    )
    detail = "the service has a defect; its log has the details under this request_id"
    return answer_error(request, LookalikeError(detail))


def is_line_route(request: Request) -> bool:
    """Return true if the route's failures are one line of text, as in version 1."""
    path: str = request.scope["path"]
    return path.startswith(_LINE_ROUTES)


def explained(errors: Sequence[Any]) -> str:
    """Return pydantic's errors as one line."""
    return "; ".join(
        f"{'.'.join(str(part) for part in error['loc'] if part != 'body') or 'body'}: "
        f"{error['msg']}"
        for error in errors
    )


async def _ours(request: Request, error: Any) -> Response:
    return answer_error(request, error)


async def _invalid(request: Request, error: Any) -> Response:
    errors = error.errors()
    kind: type[LookalikeError] = InvalidArgument
    if any(each["type"] in ("json_invalid", "model_attributes_type") for each in errors):
        kind = BadRequest
    return answer_error(request, kind(explained(errors)))


async def _http(request: Request, error: Any) -> Response:
    if error.status_code == HTTPStatus.NO_CONTENT:
        return Response(status_code=error.status_code)
    if isinstance(error.__cause__, LookalikeError):  # FastAPI turns our errors into a plain 400
        return answer_error(request, error.__cause__)
    refusal = answer_status(request, error.status_code, str(error.detail))
    refusal.headers.update(error.headers or {})
    if error.status_code == 405 and (methods := _methods(request)):
        refusal.headers["Allow"] = ", ".join(methods)
    return refusal


async def _gone(request: Request, _: Exception) -> Response:
    """End a request whose client has disconnected."""
    return answer_error(request, BadRequest("the connection ended before the body did"))


def _methods(request: Request) -> list[str]:
    """Return the methods of a path; Starlette names only those of its first route."""
    asked = {name: value for name, value in request.scope.items() if name in _ASKED}
    return [
        method
        for method in _METHODS
        if any(
            route.matches({**asked, "method": method})[0] is Match.FULL
            for route in request.app.router.routes
        )
    ]


def parsed_json(body: bytes) -> dict[str, Any]:
    """Return the JSON object of a body, or raise `BadRequest` if it is none."""
    try:
        value = read_json(body)
    except JsonError as error:
        raise BadRequest(f"the body {error}; see /openapi.json for its schema") from error
    if not isinstance(value, dict):
        raise BadRequest("the body is not a JSON object; see /openapi.json for its schema")
    return value
