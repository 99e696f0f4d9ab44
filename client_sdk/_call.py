"""One call as a value: what to send, and how to read the answer.

Nothing here talks to anything. `Client` and `AsyncClient` send these values, each in its way.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Generic, Protocol, TypeVar
from urllib.parse import quote

import httpx
from pydantic import BaseModel, ValidationError

from client_sdk import errors
from client_sdk._pictures import DiskFile, Part

API = "/api/v2"

AnswerT = TypeVar("AnswerT")
ModelT = TypeVar("ModelT", bound=BaseModel)
Param = str | int | Sequence[str]

FOREIGN = (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, httpx.CookieConflict)
"""Every root of the errors that httpx raises."""


class Page(Protocol):
    """One piece of a long list."""

    @property
    def next_cursor(self) -> str | None:
        """Where the next piece begins; `None` on the last one."""


PageT = TypeVar("PageT", bound=Page)


@dataclass(frozen=True, slots=True, kw_only=True)
class Call(Generic[AnswerT]):
    """One call: what to send, and how to read a good answer."""

    method: str
    path: str
    read: Callable[[httpx.Response], AnswerT]
    params: Mapping[str, Param] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    json: Mapping[str, object] | None = None
    form: Mapping[str, str] = field(default_factory=dict)
    parts: tuple[Part, ...] = ()

    @property
    def cursor(self) -> object:
        """Where the page begins that this asks for; `None` for the first one."""
        return (self.params if self.json is None else self.json).get("cursor")

    def after(self, cursor: str) -> "Call[AnswerT]":
        """The same call for the page that begins at a cursor."""
        if self.json is not None:
            return replace(self, json={**self.json, "cursor": cursor})
        return replace(self, params={**self.params, "cursor": cursor})

    @contextmanager
    def prepared(
        self, http: httpx.Client | httpx.AsyncClient, timeout: httpx.Timeout
    ) -> Iterator[httpx.Request]:
        """The request, to be sent inside this context; what it opened is closed afterwards.

        Raises:
            LookalikeError: In place of whatever httpx raises.
            OSError: If a file cannot be read.
        """
        files = [(part.field, part.opened()) for part in self.parts]
        try:
            yield http.build_request(
                self.method,
                self.path,
                params=self.params,
                headers=self.headers,
                json=self.json,
                data=self.form,
                files=files or None,
                timeout=timeout,
            )
        except FOREIGN as error:
            raise errors.from_httpx(error, _origin(http.base_url)) from error
        finally:
            for _, (_, content, _) in files:
                if isinstance(content, DiskFile):
                    content.close()

    def answer(self, response: httpx.Response) -> AnswerT:
        """What the service answered.

        Raises:
            ApiError: If it refused.
            UnexpectedAnswer: If the answer is not what the contract says.
        """
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


def next_call(call: Call[AnswerT], cursor: str | None) -> Call[AnswerT] | None:
    """The call for the page after one that ended with `cursor`; `None` after the last.

    Raises:
        UnexpectedAnswer: If the cursor is the one that was just used: the list would not end.
    """
    if cursor is None:
        return None
    if cursor == call.cursor:
        raise errors.UnexpectedAnswer(f"{call.path} gives the same page again and again")
    return call.after(cursor)


def model(kind: type[ModelT]) -> Callable[[httpx.Response], ModelT]:
    """Reads an answer as a wire model."""

    def read(response: httpx.Response) -> ModelT:
        return kind.model_validate_json(response.content)

    return read


def content_of(response: httpx.Response) -> bytes:
    """Reads an answer as bytes."""
    return response.content


def nothing(response: httpx.Response) -> None:
    """Reads an answer that says nothing more than that it is one."""
    del response


def given(values: Mapping[str, object]) -> dict[str, object]:
    """The values that are there."""
    return {name: value for name, value in values.items() if value is not None}


def params_of(**values: Param | None) -> dict[str, Param]:
    """Parameters of an address, those that are there."""
    return {name: value for name, value in values.items() if value is not None}


def segment(text: str) -> str:
    """A text as one part of an address.

    Raises:
        UsageError: If it would change the address.
    """
    if text.strip(".") == "":
        raise errors.UsageError(f"{text!r} cannot be part of an address")
    return quote(text, safe="")


def _origin(url: httpx.URL) -> str:
    return f"{url.scheme}://{url.netloc.decode('ascii')}"


def form_value(value: object) -> str:
    """A value as a field of a form."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return ",".join(str(item) for item in value)
    return str(value)
