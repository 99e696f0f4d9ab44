"""What carries the calls of a client that does other things while it waits."""

import asyncio
import math
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from types import TracebackType
from typing import Self

import httpx

from client_sdk import _settings as settings
from client_sdk._call import AnswerT, Call, PageT, next_call
from client_sdk._retries import AsyncRetryTransport, Retries
from client_sdk._versions import check_version


class AsyncConnection:
    """Sends calls to one service, asynchronously."""

    def __init__(
        self,
        base_url: str | None = None,
        *,
        token: str | None = None,
        timeout: float | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
        retries: Retries | int | None = None,
        check_version: bool = True,
    ) -> None:
        self._settings = settings.resolve(base_url, token, timeout)
        self._checks_version = check_version
        if transport is None:
            proxy = settings.proxy_of(self._settings.base_url)
            transport = httpx.AsyncHTTPTransport(limits=settings.CONNECTIONS, proxy=proxy)
            retries = Retries() if retries is None else retries
        if retries is not None:
            transport = AsyncRetryTransport(transport, Retries.of(retries))
        self._http = httpx.AsyncClient(
            base_url=self._settings.base_url,
            headers=self._settings.headers,
            transport=transport,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Give the connections back. The client cannot be used afterwards."""
        await self._http.aclose()

    async def _pages(self, first: Call[PageT]) -> AsyncIterator[PageT]:
        call: Call[PageT] | None = first
        while call is not None:
            page = await self._send(call)
            yield page
            call = next_call(call, page.next_cursor)

    async def _send(self, call: Call[AnswerT], within: float = math.inf) -> AnswerT:
        if call.waits_for_encoding:
            call = await asyncio.to_thread(call.encoded)
        timeout, once = self._settings.limits(within), math.isfinite(within)
        with call.prepared(self._http, timeout, once=once) as request:
            response = await self._http.send(request)
        self._check(response)
        return call.answer(response)

    def _check(self, response: httpx.Response) -> None:
        if self._checks_version:
            check_version(response)

    async def _stream(
        self, call: Call[None], begin: Callable[[httpx.Response], object]
    ) -> AsyncGenerator[bytes]:
        """The pieces of an answer while they come, after `begin` has looked at its beginning."""
        with call.prepared(self._http, self._settings.stream_limits, once=True) as request:
            response = await self._http.send(request, stream=True)
            try:
                self._check(response)
                if not response.is_success:
                    await response.aread()
                begin(response)
                async for piece in response.aiter_bytes():
                    yield piece
            finally:
                await response.aclose()
