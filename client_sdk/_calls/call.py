"""One call as a value: its request and the type of its answer. A connection sends it."""

import logging
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import KW_ONLY, dataclass, field, replace
from typing import Any, Generic, TypeVar, cast
from urllib.parse import quote
from uuid import uuid4

import httpx
from pydantic import AliasChoices, BaseModel, Field, ValidationError

from client_sdk import errors
from client_sdk._calls.pictures import DiskFile, Part
from client_sdk._transport.failures import from_httpx, from_response
from client_sdk._transport.retries import REPEATABLE
from client_sdk.schemas import Job
from client_sdk.schemas.fields import Answer

_log = logging.getLogger("lookalike")

READY = "/readyz"
"""The path of the readiness probe, the only one outside of the API."""
KEY_HEADER = "Idempotency-Key"

AnswerT = TypeVar("AnswerT")
ItemT = TypeVar("ItemT", bound=BaseModel)

HTTPX_ERRORS = (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, httpx.CookieConflict)
"""The base classes of all errors that httpx raises."""


class Page(Answer, Generic[ItemT]):
    """One page of a list; `next_cursor` is `None` on the last page."""

    items: tuple[ItemT, ...] = Field(
        validation_alias=AliasChoices("images", "jobs", "errors", "groups")
    )
    next_cursor: str | None = None


@dataclass(frozen=True, slots=True)
class Call(Generic[AnswerT]):
    """One call; parameters and fields of the body that are `None` are not sent.

    Attributes:
        path: The path below the version prefix of the API.
        kind: The type of a successful answer: a wire model, `bytes`, or `NoneType`.
        body: The fields, sent as JSON; with `parts`, as the text fields of a form.
        parts: The files of the form.
        is_idempotent: True if the call is idempotent although its HTTP method is not.
    """

    method: str
    path: str
    kind: type[AnswerT]
    _: KW_ONLY
    params: Mapping[str, Any] = field(default_factory=dict[str, Any])
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    body: Mapping[str, Any] | None = None
    parts: tuple[Part, ...] = ()
    is_idempotent: bool = False

    @property
    def url(self) -> str:
        """The path from the address of the service."""
        return self.path if self.path == READY else f"/api/v2{self.path}"

    @property
    def is_repeatable(self) -> bool:
        """True if the call may be sent again when its answer was lost."""
        by_method = self.method in ("GET", "DELETE")
        is_safe = self.is_idempotent or by_method or KEY_HEADER in self.headers
        return is_safe and all(part.is_replayable for part in self.parts)

    def encoded(self) -> "Call[AnswerT]":
        """Return the same call with its pictures encoded."""
        return replace(self, parts=tuple(part.encoded() for part in self.parts))

    def after(self, cursor: str | None) -> "Call[AnswerT] | None":
        """Return the same call for the page at a cursor; `None` after the last page."""
        if cursor is None:
            return None
        fields = self.params if self.body is None else self.body
        if cursor == fields.get("cursor"):
            raise errors.UnexpectedAnswer(f"{self.url} returned the same page twice")
        fields = {**fields, "cursor": cursor}
        return replace(self, params=fields) if self.body is None else replace(self, body=fields)

    @contextmanager
    def prepared(
        self, http: httpx.Client | httpx.AsyncClient, timeout: httpx.Timeout, *, once: bool = False
    ) -> Generator[httpx.Request]:
        """Yield the request, to be sent within the block; close its files afterwards."""
        if http.is_closed:
            raise errors.UsageError("this client is closed; make another one")
        files = [(part.field, part.opened()) for part in self.parts]
        try:
            yield self._request(http, timeout, files, is_repeatable=self.is_repeatable and not once)
        except HTTPX_ERRORS as error:
            address = f"{http.base_url.scheme}://{http.base_url.netloc.decode('ascii')}"
            raise from_httpx(error, address) from error
        except RuntimeError as error:
            if not (http.is_closed or "loop" in str(error) or "closed" in str(error)):
                raise
            # Another thread has closed the client or the `http_client`, or the event loop ended.
            raise errors.UsageError(f"this client can no longer send requests: {error}") from error
        finally:
            for _, (_, content, _) in files:
                if isinstance(content, DiskFile):
                    content.close()

    def answer(self, response: httpx.Response, client: object) -> AnswerT:
        """Return the value of an answer, bound to a client; or raise the error of a failure."""
        request_id = response.headers.get("x-request-id", "-")
        _log.debug("%s %s: %d, %s", self.method, self.url, response.status_code, request_id)
        if not response.is_success:
            raise from_response(response)
        kind: Any = self.kind
        if kind is bytes:
            return cast("AnswerT", response.content)
        if not issubclass(kind, BaseModel):
            return cast("AnswerT", None)
        try:
            return cast("AnswerT", kind.model_validate_json(response.content, context=client))
        except ValidationError as error:
            raise errors.UnexpectedAnswer(
                f"the answer to {self.method} {self.url} does not follow the API contract; is "
                f"Lookalike the program at this address? {error.error_count()} errors, the first: "
                f"{error.errors(include_url=False)[0]['msg']}"
            ) from error

    def _request(
        self,
        http: httpx.Client | httpx.AsyncClient,
        timeout: httpx.Timeout,
        files: Sequence[Any],
        *,
        is_repeatable: bool,
    ) -> httpx.Request:
        body: Any = None if self.body is None else _without_none(self.body)
        content: dict[str, Any] = {"json": body}
        if files:
            content = {"data": _form_of(body or {}), "files": files}
        try:
            return http.build_request(
                self.method,
                self.url,
                params=_without_none(self.params),
                headers=self.headers,
                timeout=timeout,
                extensions={REPEATABLE: is_repeatable},
                **content,
            )
        except (TypeError, ValueError) as error:
            given = str(body or self.params)[:200]
            raise errors.UsageError(
                f"{self.method} {self.url} cannot be sent with {given}: {error}"
            ) from error


def segment(text: str) -> str:
    """Return a string quoted as one segment of a path."""
    try:
        if text.strip("."):
            return quote(text, safe="")
    except UnicodeEncodeError:
        pass
    raise errors.UsageError(f"{text!r} cannot be part of an address")


def job_id_of(job: Job | str) -> str:
    """Return the id of a job."""
    identifier = job.id if isinstance(job, Job) else job
    if not identifier:
        raise errors.UsageError("there is no job yet; start one with `train` or `upload`")
    return identifier


def job_path(job: Job | str, verb: str = "") -> str:
    """Return the path of a job, or of an action or resource below it, such as `/cancel`."""
    return f"/jobs/{segment(job_id_of(job))}{verb}"


def key_header(key: str | None) -> dict[str, str]:
    """Return the idempotency header of a call, with a new key unless one is given."""
    return {KEY_HEADER: uuid4().hex if key is None else key}


def _without_none(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def _form_of(fields: Mapping[str, Any]) -> dict[str, str]:
    """Return values as the text fields of a form; the items of a list are separated by commas."""

    def text(value: Any) -> str:
        if isinstance(value, list):
            return ",".join(map(str, cast("list[object]", value)))
        return str(value).lower() if isinstance(value, bool) else str(value)

    return {name: text(value) for name, value in fields.items()}
