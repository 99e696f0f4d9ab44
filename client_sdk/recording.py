"""Record what a service answers, and replay it where there is none.

For test suites of programs that use the client:

    with Client(transport=cassette("tests/cassettes/search.json")) as client:
        client.search("cat.jpg")

The first run talks to the service and writes the cassette when the client is closed; every later
run needs no service. What is written is in `client_sdk._cassette`.
"""

import threading
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import Literal, Self, cast

import httpx

from client_sdk import _cassette
from client_sdk._cassette import Answered, Asked, Exchange
from client_sdk.errors import LookalikeError, UsageError

Inner = httpx.BaseTransport | httpx.AsyncBaseTransport
"""What carries the calls that are recorded."""

Mode = Literal["replay", "record", "once"]
"""What a cassette does: `replay` never talks to a service; `record` always does, and writes the
cassette anew; `once` records where there is no cassette yet, and replays it afterwards."""


class NotRecorded(LookalikeError):
    """A call that the cassette does not hold. The service was not asked."""


class _Transport(httpx.BaseTransport, httpx.AsyncBaseTransport):
    """A transport of either client."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc_value: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc_value: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        await self.aclose()


class RecordingTransport(_Transport):
    """Passes calls on to a service, and writes what it answered when it is closed.

    Serves `Client` and `AsyncClient`. Calls stand in the cassette in the order in which they
    were begun. Tokens, cookies and the address of the service are not written.

    Args:
        path: The cassette; its folder is made where there is none.
        inner: What carries the calls instead of httpx's own transport.
    """

    def __init__(self, path: str | PathLike[str], inner: Inner | None = None) -> None:
        self._path = Path(path)
        self._inner = inner
        self._lock = threading.Lock()
        self._begun: list[_Recording] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Pass one call on."""
        request.read()
        recording = self._begin(request)
        response = self._waiting().handle_request(request)
        return recording.of(response)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Pass one call on."""
        await request.aread()
        recording = self._begin(request)
        response = await self._not_waiting().handle_async_request(request)
        return recording.of(response)

    def close(self) -> None:
        """Write the cassette.

        Raises:
            OSError: If it cannot be written.
        """
        if isinstance(self._inner, httpx.BaseTransport):
            self._inner.close()
        self._write()

    async def aclose(self) -> None:
        """Write the cassette.

        Raises:
            OSError: If it cannot be written.
        """
        if isinstance(self._inner, httpx.AsyncBaseTransport):
            await self._inner.aclose()
        self._write()

    def _waiting(self) -> httpx.BaseTransport:
        if self._inner is None:
            self._inner = httpx.HTTPTransport()
        if not isinstance(self._inner, httpx.BaseTransport):
            raise UsageError("the inner transport is asynchronous; give one to AsyncClient")
        return self._inner

    def _not_waiting(self) -> httpx.AsyncBaseTransport:
        if self._inner is None:
            self._inner = httpx.AsyncHTTPTransport()
        if not isinstance(self._inner, httpx.AsyncBaseTransport):
            raise UsageError("the inner transport is not asynchronous; give one to Client")
        return self._inner

    def _begin(self, request: httpx.Request) -> "_Recording":
        request.headers["accept-encoding"] = "identity"  # what is written is to be read
        recording = _Recording(Asked.by(request), request.headers.get("authorization"))
        with self._lock:
            self._begun.append(recording)
        return recording

    def _write(self) -> None:
        with self._lock:
            done = [(one.exchange, one.secret) for one in self._begun if one.exchange is not None]
        secrets = {secret for _, secret in done if secret}
        _cassette.write(self._path, [exchange for exchange, _ in done], secrets)


class ReplayTransport(_Transport):
    """Answers from a cassette, and talks to nobody.

    Serves `Client` and `AsyncClient`. A call is the recorded one if method, path, parameters and
    body are the same; names and bytes of pictures count, boundaries of forms do not. The same
    call again gets the answers in the order in which they were recorded, then the last one again
    and again.

    Args:
        path: The cassette.

    Raises:
        UsageError: If there is none, or it is none.
    """

    def __init__(self, path: str | PathLike[str]) -> None:
        self._path = Path(path)
        self._lock = threading.Lock()
        self._left: dict[str, list[Answered]] = {}
        for exchange in _cassette.read(self._path):
            self._left.setdefault(exchange.asked.key, []).append(exchange.answered)
        self._asked = tuple(Asked.from_key(key) for key in self._left)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Answer one call.

        Raises:
            NotRecorded: If the cassette does not hold it.
        """
        request.read()
        return self._answer(request)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer one call.

        Raises:
            NotRecorded: If the cassette does not hold it.
        """
        await request.aread()
        return self._answer(request)

    def close(self) -> None:
        """Do nothing: there is nothing to give back."""

    async def aclose(self) -> None:
        """Do nothing: there is nothing to give back."""

    def _answer(self, request: httpx.Request) -> httpx.Response:
        asked = Asked.by(request)
        with self._lock:
            answers = self._left.get(asked.key)
            if answers:
                answered = answers.pop(0) if len(answers) > 1 else answers[0]
                return answered.response(request)
        nearest = asked.nearest(self._asked)
        raise NotRecorded(
            f"{asked} is not in the cassette {self._path}; "
            + (f"the nearest there is {nearest}; " if nearest else "the cassette is empty; ")
            + "record it with a service: cassette(path, 'record'), or delete the cassette where "
            "the mode is 'once'"
        )


def cassette(
    path: str | PathLike[str], mode: Mode = "once", *, inner: Inner | None = None
) -> RecordingTransport | ReplayTransport:
    """A transport for `Client(transport=...)` or `AsyncClient(transport=...)`.

    Args:
        path: The cassette, a JSON file.
        mode: `once`, `replay` or `record`.
        inner: What carries the calls that are recorded; httpx's own where none is given.

    Raises:
        UsageError: If the mode is another one, or the cassette to be replayed cannot be.
    """
    if mode not in ("replay", "record", "once"):
        raise UsageError(f"a cassette cannot {mode!r}; give 'replay', 'record' or 'once'")
    if mode == "record" or (mode == "once" and not Path(path).exists()):
        return RecordingTransport(path, inner)
    return ReplayTransport(path)


class _Recording:
    """One call while its answer comes."""

    def __init__(self, asked: Asked, secret: str | None) -> None:
        self.exchange: Exchange | None = None
        self.secret = None if secret is None else secret.removeprefix("Bearer ")
        self._asked = asked

    def of(self, response: httpx.Response) -> httpx.Response:
        """The answer, which is written down while it is read."""

        def finish(pieces: list[bytes]) -> None:
            self.exchange = Exchange(self._asked, Answered.by(response, b"".join(pieces)))

        return httpx.Response(
            response.status_code,
            headers=response.headers,
            stream=_Listening(response.stream, finish),
            extensions=response.extensions,
        )


class _Listening(httpx.SyncByteStream, httpx.AsyncByteStream):
    """The bytes of an answer, kept while they pass."""

    def __init__(
        self,
        stream: httpx.SyncByteStream | httpx.AsyncByteStream,
        finish: Callable[[list[bytes]], None],
    ) -> None:
        self._stream = stream
        self._finish = finish
        self._pieces: list[bytes] = []
        self._broken = False

    def __iter__(self) -> Iterator[bytes]:
        with self._watched():
            for piece in cast("httpx.SyncByteStream", self._stream):
                self._pieces.append(piece)
                yield piece

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with self._watched():
            async for piece in cast("httpx.AsyncByteStream", self._stream):
                self._pieces.append(piece)
                yield piece

    def close(self) -> None:
        cast("httpx.SyncByteStream", self._stream).close()
        self._end()

    async def aclose(self) -> None:
        await cast("httpx.AsyncByteStream", self._stream).aclose()
        self._end()

    @contextmanager
    def _watched(self) -> Generator[None]:
        try:
            yield
        except httpx.HTTPError:
            self._broken = True
            raise

    def _end(self) -> None:
        if not self._broken:
            self._finish(self._pieces)
