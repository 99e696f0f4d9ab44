"""Clients of the real routes where no service runs, so that admitted requests fail later."""

from contextlib import nullcontext
from typing import Any

import httpx

from bento_service.api.app import http_surface
from bento_service.api.auth.tokens import Scope
from bento_service.settings import Settings

TOKENS = {scope: f"{scope}-" + "x" * 20 for scope in Scope}
_LINES = ";".join(f"{scope}-token {scope} {token}" for scope, token in TOKENS.items())


def rules(**given: Any) -> Settings:
    """Return settings with a token of each scope."""
    return Settings(**{"tokens": _LINES, **given})


def client(rules: Settings) -> httpx.AsyncClient:
    """Return a client of a new surface; the answer to an error of the surface is its own."""
    transport = httpx.ASGITransport(http_surface(nullcontext, rules), raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8001")


def bearer(scope: Scope) -> dict[str, str]:
    """Return the header with the token of a scope."""
    return {"Authorization": f"Bearer {TOKENS[scope]}"}
