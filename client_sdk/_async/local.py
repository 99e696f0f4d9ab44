"""The transport to a service inside this process."""

import asyncio
import weakref
from collections.abc import AsyncIterator

import httpx

from client_sdk._transport.local import Exchange, Service, async_result_of, start_exchange


class AsyncLocalTransport(httpx.AsyncBaseTransport):
    """A transport to a service inside this process; closing it closes the service."""

    def __init__(self, service: Service) -> None:
        self._service = service
        # `close` waits for the service, and garbage collection of a client must not wait.
        self._forgotten = weakref.finalize(self, service.abandon)
        self._forgotten.atexit = False

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        exchange = start_exchange(self._service, request)
        status, headers = await async_result_of(exchange, exchange.head, request)
        return httpx.Response(status, headers=headers, stream=_AsyncPieces(exchange, request))

    async def aclose(self) -> None:
        await asyncio.to_thread(self._service.close)
        self._forgotten.detach()


class _AsyncPieces(httpx.AsyncByteStream):
    """The body of an answer, as a stream of pieces."""

    def __init__(self, exchange: Exchange, request: httpx.Request) -> None:
        self._exchange = exchange
        self._request = request

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while piece := await async_result_of(self._exchange, self._exchange.piece(), self._request):
            yield piece

    async def aclose(self) -> None:
        self._exchange.close()
