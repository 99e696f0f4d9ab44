"""What carries the calls of a client that waits for each answer."""

import math
from collections.abc import Callable, Generator, Iterator
from types import TracebackType
from typing import Self

import httpx

from client_sdk import _settings as settings
from client_sdk._call import AnswerT, Call, PageT, next_call
from client_sdk._retries import Retries, RetryTransport
from client_sdk._versions import check_version


class Connection:
    """Sends calls to one service. One serves many threads and keeps its connections."""

    def __init__(
        self,
        base_url: str | None = None,
        *,
        token: str | None = None,
        timeout: float | None = None,
        transport: httpx.BaseTransport | None = None,
        retries: Retries | int | None = None,
        check_version: bool = True,
    ) -> None:
        self._settings = settings.resolve(base_url, token, timeout)
        self._checks_version = check_version
        if transport is None:
            proxy = settings.proxy_of(self._settings.base_url)
            transport = httpx.HTTPTransport(limits=settings.CONNECTIONS, proxy=proxy)
            retries = Retries() if retries is None else retries
        if retries is not None:
            transport = RetryTransport(transport, Retries.of(retries))
        self._http = httpx.Client(
            base_url=self._settings.base_url,
            headers=self._settings.headers,
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
        timeout, once = self._settings.limits(within), math.isfinite(within)
        with call.prepared(self._http, timeout, once=once) as request:
            response = self._http.send(request)
        self._check(response)
        return call.answer(response)

    def _check(self, response: httpx.Response) -> None:
        if self._checks_version:
            check_version(response)

    def _stream(
        self, call: Call[None], begin: Callable[[httpx.Response], object]
    ) -> Generator[bytes]:
        """The pieces of an answer while they come, after `begin` has looked at its beginning."""
        with call.prepared(self._http, self._settings.stream_limits, once=True) as request:
            response = self._http.send(request, stream=True)
            try:
                self._check(response)
                if not response.is_success:
                    response.read()
                begin(response)
                yield from response.iter_bytes()
            finally:
                response.close()
