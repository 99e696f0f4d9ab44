# Generated from client_sdk/_async/connection.py by `make sync`; edit that file instead.
"""The connection of a client to its service."""

import math
from collections.abc import Generator, Iterator, Mapping
from typing import Any

import httpx
from httpx_sse import EventSource, ServerSentEvent

from client_sdk._calls.call import AnswerT, Call, ItemT, Page
from client_sdk._transport.failures import check_version, from_response
from client_sdk._transport.settings import MAX_SILENCE_SECONDS, Settings
from client_sdk.errors import UnexpectedAnswer


class Connection:
    """The connection that sends calls to one service; `headers` are sent with every request."""

    def __init__(
        self,
        chosen: Settings,
        transport: httpx.BaseTransport,
        headers: Mapping[str, str],
        *,
        check_version: bool,
    ) -> None:
        self.settings = chosen
        self.transport = transport
        self._checks_version = check_version
        self._http = httpx.Client(
            base_url=chosen.base_url,
            headers={**headers, **chosen.headers},
            transport=transport,
        )

    def close(self) -> None:
        self._http.close()

    def send(self, call: Call[AnswerT], within: float = math.inf) -> AnswerT:
        """Send a call and return its answer; a finite `within` allows one attempt, in seconds."""
        if call.parts:
            call = call.encoded()
        timeout, once = self.settings.limits(within), math.isfinite(within)
        with call.prepared(self._http, timeout, once=once) as request:
            response = self._http.send(request)
        self._check(response)
        return call.answer(response, self)

    def items(self, first: Call[Page[ItemT]]) -> Iterator[ItemT]:
        """Yield the items of a list; each page is fetched when it is needed."""
        call: Call[Page[ItemT]] | None = first
        while call is not None:
            page = self.send(call)
            for item in page.items:
                yield item
            call = call.after(page.next_cursor)

    def events(self, call: Call[Any]) -> Generator[ServerSentEvent]:
        timeout = self.settings.limits(least_read=MAX_SILENCE_SECONDS)
        with call.prepared(self._http, timeout, once=True) as request:
            response = self._http.send(request, stream=True)
            try:
                self._check(response)
                if not response.is_success:
                    response.read()
                    raise from_response(response)
                kind = response.headers.get("content-type", "")
                if not kind.startswith("text/event-stream"):
                    raise UnexpectedAnswer(f"the answer to GET {call.url} is no stream of events")
                for event in EventSource(response).iter_sse():
                    yield event
            finally:
                response.close()

    def _check(self, response: httpx.Response) -> None:
        if self._checks_version:
            check_version(response)
