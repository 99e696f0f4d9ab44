"""The connection of a client to its service."""

import asyncio
import math
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from typing import Any

import httpx
from httpx_sse import EventSource, ServerSentEvent

from client_sdk._calls.call import AnswerT, Call, ItemT, Page
from client_sdk._transport.failures import check_version, from_response
from client_sdk._transport.settings import MAX_SILENCE_SECONDS, Settings
from client_sdk.errors import UnexpectedAnswer


class AsyncConnection:
    """The connection that sends calls to one service; `headers` are sent with every request."""

    def __init__(
        self,
        chosen: Settings,
        transport: httpx.AsyncBaseTransport,
        headers: Mapping[str, str],
        *,
        check_version: bool,
    ) -> None:
        self.settings = chosen
        self.transport = transport
        self._checks_version = check_version
        self._http = httpx.AsyncClient(
            base_url=chosen.base_url,
            headers={**headers, **chosen.headers},
            transport=transport,
        )

    async def close(self) -> None:
        await self._http.aclose()

    async def send(self, call: Call[AnswerT], within: float = math.inf) -> AnswerT:
        """Send a call and return its answer; a finite `within` allows one attempt, in seconds."""
        if call.parts:
            call = await asyncio.to_thread(call.encoded)
        timeout, once = self.settings.limits(within), math.isfinite(within)
        with call.prepared(self._http, timeout, once=once) as request:
            response = await self._http.send(request)
        self._check(response)
        return call.answer(response, self)

    async def items(self, first: Call[Page[ItemT]]) -> AsyncIterator[ItemT]:
        """Yield the items of a list; each page is fetched when it is needed."""
        call: Call[Page[ItemT]] | None = first
        while call is not None:
            page = await self.send(call)
            for item in page.items:
                yield item
            call = call.after(page.next_cursor)

    async def events(self, call: Call[Any]) -> AsyncGenerator[ServerSentEvent]:
        timeout = self.settings.limits(least_read=MAX_SILENCE_SECONDS)
        with call.prepared(self._http, timeout, once=True) as request:
            response = await self._http.send(request, stream=True)
            try:
                self._check(response)
                if not response.is_success:
                    await response.aread()
                    raise from_response(response)
                kind = response.headers.get("content-type", "")
                if not kind.startswith("text/event-stream"):
                    raise UnexpectedAnswer(f"the answer to GET {call.url} is no stream of events")
                async for event in EventSource(response).aiter_sse():
                    yield event
            finally:
                await response.aclose()

    def _check(self, response: httpx.Response) -> None:
        if self._checks_version:
            check_version(response)
