"""The transport to a service inside this process."""

import asyncio
import weakref
from collections.abc import AsyncIterator

import httpx

from client_sdk._transport.local import Exchange, Service, async_result_of, begun


class AsyncLocalTransport(httpx.AsyncBaseTransport):
    """Carries requests to a service in this process, and closes the service at the end."""

    def __init__(self, service: Service) -> None:
        self._service = service
        # A client that is dropped without `close` must not wait, unlike `close`.
        self._forgotten = weakref.finalize(self, service.abandon)
        self._forgotten.atexit = False

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request."""
        exchange = begun(self._service, request)
        status, headers = await async_result_of(exchange, exchange.head, request)
        return httpx.Response(status, headers=headers, stream=_AsyncPieces(exchange, request))

    async def aclose(self) -> None:
        """Close the service."""
        await asyncio.to_thread(self._service.close)
        self._forgotten.detach()


class _AsyncPieces(httpx.AsyncByteStream):
    """The body of an answer, which arrives in pieces."""

    def __init__(self, exchange: Exchange, request: httpx.Request) -> None:
        self._exchange = exchange
        self._request = request

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while piece := await async_result_of(self._exchange, self._exchange.piece(), self._request):
            yield piece

    async def aclose(self) -> None:
        """Stop reading."""
        self._exchange.close()
