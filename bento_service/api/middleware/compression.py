"""Middleware that compresses JSON answers."""

from starlette.middleware.gzip import GZipMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

_MIN_BYTES = 1024
_LEVEL = 2
_PICTURES = ("/content", "/thumbnail")


class Compression(GZipMiddleware):
    """Middleware that compresses answers for clients that accept gzip, except pictures."""

    def __init__(self, app: ASGIApp) -> None:
        super().__init__(app, minimum_size=_MIN_BYTES, compresslevel=_LEVEL)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        path: str = scope.get("path", "")
        if path.startswith("/api/v2/") and not path.endswith(_PICTURES):
            await super().__call__(scope, receive, send)
        else:
            await self.app(scope, receive, send)
