"""What carries the calls of a client that waits for each answer."""

import math
from collections.abc import Callable, Generator, Iterator
from types import TracebackType
from typing import Self

import httpx

from client_sdk import _settings as settings
from client_sdk._call import AnswerT, Call, PageT, next_call


class Connection:
    """Sends calls to one service. One serves many threads and keeps its connections."""

    def __init__(
        self,
        base_url: str | None = None,
        *,
        token: str | None = None,
        timeout: float | None = None,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._settings = settings.resolve(base_url, token, timeout)
        self._http = httpx.Client(
            base_url=self._settings.base_url,
            headers=self._settings.headers,
            limits=settings.CONNECTIONS,
            transport=transport,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the connections back. The client cannot be used afterwards."""
        self._http.close()

    def _pages(self, first: Call[PageT]) -> Iterator[PageT]:
        call: Call[PageT] | None = first
        while call is not None:
            page = self._send(call)
            yield page
            call = next_call(call, page.next_cursor)

    def _send(self, call: Call[AnswerT], within: float = math.inf) -> AnswerT:
        with call.prepared(self._http, self._settings.limits(within)) as request:
            response = self._http.send(request)
        return call.answer(response)

    def _stream(
        self, call: Call[None], begin: Callable[[httpx.Response], object]
    ) -> Generator[bytes]:
        """The pieces of an answer while they come, after `begin` has looked at its beginning."""
        with call.prepared(self._http, self._settings.stream_limits) as request:
            response = self._http.send(request, stream=True)
            try:
                if not response.is_success:
                    response.read()
                begin(response)
                yield from response.iter_bytes()
            finally:
                response.close()
