"""The connection of a client to its service."""

import asyncio
import math
from collections.abc import AsyncGenerator, AsyncIterator, Callable

import httpx
from httpx_sse import EventSource, ServerSentEvent

from client_sdk._async.retries import AsyncRetryTransport
from client_sdk._calls.call import AnswerT, Call, PageT, next_call
from client_sdk._transport import settings, versions
from client_sdk._transport.retries import Retries


class AsyncConnection:
    """The connection that sends calls to one service; see `AsyncClient` for its arguments."""

    def __init__(
        self,
        base_url: str | None,
        token: str | None,
        timeout: float | None,
        transport: httpx.AsyncBaseTransport | None,
        retries: Retries | int | None,
        *,
        check_version: bool,
    ) -> None:
        self._settings = settings.resolve(base_url, token, timeout)
        self._check: Callable[[httpx.Response], object]
        self._check = versions.check_version if check_version else lambda response: None
        if transport is None:
            retries = Retries() if retries is None else retries
            transport = settings.transport_of(httpx.AsyncHTTPTransport, self._settings.base_url)
        if retries is not None:
            transport = AsyncRetryTransport(transport, Retries.of(retries))
        self.transport = transport
        self._http = httpx.AsyncClient(
            base_url=self._settings.base_url, headers=self._settings.headers, transport=transport
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def pages(self, first: Call[PageT]) -> AsyncIterator[PageT]:
        """Yield the pages of a list; each is fetched when it is needed."""
        call: Call[PageT] | None = first
        while call is not None:
            page = await self.send(call)
            yield page
            call = next_call(call, page.next_cursor)

    async def send(self, call: Call[AnswerT], within: float = math.inf) -> AnswerT:
        """Send a call and return its answer; a finite `within` allows one attempt, in seconds."""
        if call.parts:
            call = await asyncio.to_thread(call.encoded)
        timeout, once = self._settings.limits(within), math.isfinite(within)
        with call.prepared(self._http, timeout, once=once) as request:
            response = await self._http.send(request)
        self._check(response)
        return call.answer(response)

    async def events(
        self, call: Call[None], begin: Callable[[httpx.Response], object]
    ) -> AsyncGenerator[ServerSentEvent]:
        """Yield the events of a stream, after `begin` has checked its status and headers."""
        with call.prepared(self._http, self._settings.stream_limits, once=True) as request:
            response = await self._http.send(request, stream=True)
            try:
                self._check(response)
                if not response.is_success:
                    await response.aread()
                begin(response)
                async for event in EventSource(response).aiter_sse():
                    yield event
            finally:
                await response.aclose()
