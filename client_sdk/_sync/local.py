# Generated from client_sdk/_async/local.py by `make sync`; edit that file instead.
"""The transport to a service inside this process."""

import weakref
from collections.abc import Iterator

import httpx

from client_sdk._transport.local import Exchange, Service, result_of, start_exchange


class LocalTransport(httpx.BaseTransport):
    """A transport to a service inside this process; closing it closes the service."""

    def __init__(self, service: Service) -> None:
        self._service = service
        # `close` waits for the service, and garbage collection of a client must not wait.
        self._forgotten = weakref.finalize(self, service.abandon)
        self._forgotten.atexit = False

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        exchange = start_exchange(self._service, request)
        status, headers = result_of(exchange, exchange.head, request)
        return httpx.Response(status, headers=headers, stream=_Pieces(exchange, request))

    def close(self) -> None:
        self._service.close()
        self._forgotten.detach()


class _Pieces(httpx.SyncByteStream):
    """The body of an answer, as a stream of pieces."""

    def __init__(self, exchange: Exchange, request: httpx.Request) -> None:
        self._exchange = exchange
        self._request = request

    def __iter__(self) -> Iterator[bytes]:
        while piece := result_of(self._exchange, self._exchange.piece(), self._request):
            yield piece

    def close(self) -> None:
        self._exchange.close()
