"""One call as a value: its request, and the reader of its answer.

`AsyncConnection` and `Connection` send these values; this module does no I/O of its own.
"""

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import KW_ONLY, dataclass, field, replace
from typing import Any, Generic, Protocol, TypeVar, cast
from urllib.parse import quote

import httpx
from pydantic import BaseModel, ValidationError

from client_sdk import errors
from client_sdk._calls.pictures import DiskFile, Part
from client_sdk._transport.retries import REPEATABLE

API = "/api/v2"
KEY_HEADER = "Idempotency-Key"

AnswerT = TypeVar("AnswerT")
ModelT = TypeVar("ModelT", bound=BaseModel)
Param = str | int | Sequence[str]

FOREIGN = (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, httpx.CookieConflict)
"""The base classes of all errors that httpx raises."""


class Page(Protocol):
    """One page of a long list."""

    @property
    def next_cursor(self) -> str | None:
        """The position of the next page; `None` on the last one."""


PageT = TypeVar("PageT", bound=Page)


@dataclass(frozen=True, slots=True)
class Call(Generic[AnswerT]):
    """One call: its request, and the reader of a successful answer.

    Attributes:
        read: Reads a successful answer.
        is_harmless: True if the call is idempotent although its HTTP method is not.
    """

    method: str
    path: str
    read: Callable[[httpx.Response], AnswerT]
    _: KW_ONLY
    params: Mapping[str, Param] = field(default_factory=dict[str, Param])
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    json: Mapping[str, object] | None = None
    form: Mapping[str, str] = field(default_factory=dict[str, str])
    parts: tuple[Part, ...] = ()
    is_harmless: bool = False

    @property
    def is_repeatable(self) -> bool:
        """True if the call may be sent again when its answer was lost."""
        harmless = (
            self.is_harmless or self.method in ("GET", "DELETE") or KEY_HEADER in self.headers
        )
        return harmless and all(part.is_replayable for part in self.parts)

    def encoded(self) -> "Call[AnswerT]":
        """Return the same call with its pictures encoded."""
        return replace(self, parts=tuple(part.encoded() for part in self.parts))

    @property
    def cursor(self) -> object:
        """The position of the requested page; `None` for the first one."""
        return (self.params if self.json is None else self.json).get("cursor")

    def after(self, cursor: str) -> "Call[AnswerT]":
        """Return the same call for the page at a cursor."""
        if self.json is not None:
            return replace(self, json={**self.json, "cursor": cursor})
        return replace(self, params={**self.params, "cursor": cursor})

    @contextmanager
    def prepared(
        self, http: httpx.Client | httpx.AsyncClient, timeout: httpx.Timeout, *, once: bool = False
    ) -> Generator[httpx.Request]:
        """Yield the request, to be sent within the block; close its files afterwards."""
        if http.is_closed:
            raise errors.UsageError("this client is closed; make another one")
        files = [(part.field, part.opened()) for part in self.parts]
        try:
            yield self._request(http, timeout, files, once=once)
        except FOREIGN as error:
            raise errors.from_httpx(error, _origin(http.base_url)) from error
        except RuntimeError as error:
            if not (http.is_closed or "loop" in str(error)):
                raise
            # Another thread has closed the client, or the event loop of its connections has ended.
            raise errors.UsageError(f"this client cannot send any more: {error}") from error
        finally:
            for _, (_, content, _) in files:
                if isinstance(content, DiskFile):
                    content.close()

    def answer(self, response: httpx.Response) -> AnswerT:
        """Return the value of an answer, or raise the error that it stands for."""
        if not response.is_success:
            raise errors.from_response(response)
        try:
            return self.read(response)
        except ValidationError as error:
            raise errors.UnexpectedAnswer(
                f"the answer to {self.method} {self.path} is not what the contract says; is it "
                f"Lookalike that listens there? {error.error_count()} faults, the first: "
                f"{error.errors(include_url=False)[0]['msg']}"
            ) from error

    def _request(
        self,
        http: httpx.Client | httpx.AsyncClient,
        timeout: httpx.Timeout,
        files: object,
        *,
        once: bool,
    ) -> httpx.Request:
        try:
            return http.build_request(
                self.method,
                self.path,
                params=self.params,
                headers=self.headers,
                json=self.json,
                data=self.form,
                files=cast("None", files or None),
                timeout=timeout,
                extensions={REPEATABLE: self.is_repeatable and not once},
            )
        except (TypeError, ValueError) as error:
            values = self.json or self.form or self.params
            raise errors.UsageError(
                f"{self.method} {self.path} cannot be sent with {str(values)[:200]}: {error}"
            ) from error


def get(path: str, kind: type[ModelT], **params: Param | None) -> Call[ModelT]:
    """Return the GET call that reads a wire model; parameters that are `None` are omitted."""
    present = {name: value for name, value in params.items() if value is not None}
    return api("GET", path, model(kind), params=present)


def post(
    path: str, kind: type[ModelT], body: Mapping[str, object] | None = None, **options: Any
) -> Call[ModelT]:
    """Return the POST call that sends JSON and reads a wire model."""
    return api("POST", path, model(kind), json=body, **options)


def api(
    method: str, path: str, read: Callable[[httpx.Response], AnswerT], **options: Any
) -> Call[AnswerT]:
    """Return a call of the API; its path is relative to the version prefix."""
    return Call(method, f"{API}{path}", read, **options)


def next_call(call: Call[AnswerT], cursor: str | None) -> Call[AnswerT] | None:
    """Return the call for the next page, at `cursor`; `None` after the last page."""
    if cursor is None:
        return None
    if cursor == call.cursor:
        raise errors.UnexpectedAnswer(f"{call.path} gives the same page again and again")
    return call.after(cursor)


def model(kind: type[ModelT]) -> Callable[[httpx.Response], ModelT]:
    """Return a function that reads an answer as a wire model."""
    return lambda response: kind.model_validate_json(response.content)


def content_of(response: httpx.Response) -> bytes:
    """Return the bytes of an answer."""
    return response.content


def nothing(response: httpx.Response) -> None:
    """Return nothing, for an answer without a body."""
    del response


def given(**values: object) -> dict[str, object]:
    """Return the values that are not `None`."""
    return {name: value for name, value in values.items() if value is not None}


def segment(text: str) -> str:
    """Return a string quoted as one segment of a path."""
    if not isinstance(text, str) or text.strip(".") == "":  # pyright: ignore[reportUnnecessaryIsInstance]
        raise errors.UsageError(f"{text!r} cannot be part of an address")
    return quote(text, safe="")


def form_of(fields: Mapping[str, object]) -> dict[str, str]:
    """Return values as the text fields of a form; a list becomes comma-separated."""

    def text(value: object) -> str:
        if isinstance(value, list):
            return ",".join(map(str, cast("list[object]", value)))
        return str(value).lower() if isinstance(value, bool) else str(value)

    return {name: text(value) for name, value in fields.items()}


def _origin(url: httpx.URL) -> str:
    return f"{url.scheme}://{url.netloc.decode('ascii')}"
