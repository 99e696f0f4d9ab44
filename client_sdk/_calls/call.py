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
from client_sdk.schemas.answer import Answer

_log = logging.getLogger("lookalike")

READY = "/readyz"
"""The path of the readiness probe, the only one outside of the API."""
_KEY_HEADER = "Idempotency-Key"

AnswerT = TypeVar("AnswerT")
ItemT = TypeVar("ItemT", bound=BaseModel)

# The base classes of all errors that httpx raises.
_HTTPX_ERRORS = (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, httpx.CookieConflict)


class Page(Answer, Generic[ItemT]):
    """One page of a list; `next_cursor` is `None` on the last page."""

    items: tuple[ItemT, ...] = Field(
        validation_alias=AliasChoices("images", "jobs", "errors", "groups", "collections")
    )
    next_cursor: str | None = None


@dataclass(frozen=True, slots=True)
class Call(Generic[AnswerT]):
    """One call.

    Attributes:
        path: The path below the version prefix of the API.
        kind: The type of a successful answer: a wire model, `bytes`, or `NoneType`.
        fields: The query of a GET; else a JSON object or, with `parts`, the text fields of a form.
            A field that is `None` is not sent.
        parts: The files of the form.
        is_idempotent: True if the call is idempotent although its HTTP method is not.
    """

    method: str
    path: str
    kind: type[AnswerT]
    _: KW_ONLY
    fields: Mapping[str, Any] = field(default_factory=dict[str, Any])
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
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
        is_safe = self.is_idempotent or by_method or _KEY_HEADER in self.headers
        return is_safe and all(part.is_replayable for part in self.parts)

    def encoded(self) -> "Call[AnswerT]":
        """Return the same call with its pictures encoded."""
        return replace(self, parts=tuple(part.encoded() for part in self.parts))

    def after(self, cursor: str | None) -> "Call[AnswerT] | None":
        """Return the same call for the page at a cursor; `None` after the last page."""
        if cursor is None:
            return None
        if cursor == self.fields.get("cursor"):
            raise errors.UnexpectedAnswer(f"{self.url} returned the same page twice")
        return replace(self, fields={**self.fields, "cursor": cursor})

    @contextmanager
    def prepared(
        self, http: httpx.Client | httpx.AsyncClient, timeout: httpx.Timeout, *, once: bool = False
    ) -> Generator[httpx.Request]:
        """Yield the request, to be sent within the block; close its files afterwards."""
        if http.is_closed:
            raise errors.UsageError("this client is closed; make another one")
        files = [(part.field, part.opened()) for part in self.parts]
        try:
            extensions = {REPEATABLE: self.is_repeatable and not once}
            yield self._request(http, files, timeout=timeout, extensions=extensions)
        except _HTTPX_ERRORS as error:
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
        return self.parsed(response.content, client)

    def parsed(self, content: bytes | str, client: object) -> AnswerT:
        """Return the value of the content of an answer or of an event, bound to a client."""
        kind: Any = self.kind
        if kind is bytes:
            return cast("AnswerT", content)
        if not issubclass(kind, BaseModel):
            return cast("AnswerT", None)
        try:
            return cast("AnswerT", kind.model_validate_json(content, context=client))
        except ValidationError as error:
            raise errors.UnexpectedAnswer(
                f"the answer to {self.method} {self.url} does not follow the API contract; is "
                f"Lookalike the program at this address? {error.error_count()} errors, the first: "
                f"{error.errors(include_url=False)[0]['msg']}"
            ) from error

    def _request(
        self, http: httpx.Client | httpx.AsyncClient, files: Sequence[Any], **options: Any
    ) -> httpx.Request:
        fields = {name: value for name, value in self.fields.items() if value is not None}
        if files:
            options |= {"data": _form_of(fields), "files": files}
        else:
            options["params" if self.method == "GET" else "json"] = fields or None
        try:
            return http.build_request(self.method, self.url, headers=self.headers, **options)
        except (TypeError, ValueError) as error:
            raise errors.UsageError(
                f"{self.method} {self.url} cannot be sent with {str(fields)[:200]}: {error}"
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
    return {_KEY_HEADER: uuid4().hex if key is None else key}


def _form_of(fields: Mapping[str, Any]) -> dict[str, str]:
    """Return values as the text fields of a form; the items of a list are separated by commas."""

    def text(value: Any) -> str:
        if isinstance(value, list):
            return ",".join(map(str, cast("list[object]", value)))
        return str(value).lower() if isinstance(value, bool) else str(value)

    return {name: text(value) for name, value in fields.items()}
