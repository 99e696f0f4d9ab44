"""Where the service is and how to talk to it: the only place that reads the environment."""

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.request import getproxies, proxy_bypass

import httpx

from client_sdk.errors import UsageError

DEFAULT_URL = "http://127.0.0.1:8001"
DEFAULT_TIMEOUT = 60.0
MAX_CONNECT_SECONDS = 5.0
MAX_SILENCE_SECONDS = 45.0  # of a stream; the service gives a sign of life every 15 s

# An idle connection is dropped well before the service does it, after 5 s: a request that is sent
# while the other side hangs up would fail.
CONNECTIONS = httpx.Limits(max_connections=100, max_keepalive_connections=20, keepalive_expiry=2.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What a client needs to know about the service.

    Attributes:
        base_url: Scheme, host, port and perhaps a path, such as `https://host/lookalike`.
        token: Sent as a bearer token; `None` sends none.
        timeout: Seconds that each step of a request may take: sending a piece, or waiting for
            the next piece of the answer.
    """

    base_url: str
    token: str | None = field(repr=False)
    timeout: float

    @property
    def headers(self) -> dict[str, str]:
        """The headers of every request."""
        return {} if self.token is None else {"Authorization": f"Bearer {self.token}"}

    def limits(self, within: float = math.inf) -> httpx.Timeout:
        """The time limits of one request.

        Args:
            within: Seconds after which the caller needs the answer no longer.
        """
        seconds = min(self.timeout, within)
        return httpx.Timeout(seconds, connect=min(seconds, MAX_CONNECT_SECONDS))

    @property
    def stream_limits(self) -> httpx.Timeout:
        """The time limits of a stream, whose pieces may come as seldom as its signs of life."""
        usual = self.limits()
        read = max(self.timeout, MAX_SILENCE_SECONDS)
        return httpx.Timeout(self.timeout, connect=usual.connect, read=read)


def resolve(
    base_url: str | None = None,
    token: str | None = None,
    timeout: float | None = None,
    environ: Mapping[str, str] = os.environ,
) -> Settings:
    """The settings: what is given, else what the environment says, else the defaults.

    An empty token means none, whatever the environment says.

    Raises:
        UsageError: If the address, the token or the timeout cannot be used.
    """
    if token is None:
        token = environ.get("LOOKALIKE_TOKEN", "")
    if timeout is None:
        timeout = _seconds(environ.get("LOOKALIKE_TIMEOUT") or str(DEFAULT_TIMEOUT))
    if not 0 < timeout < math.inf:
        raise UsageError(f"a timeout of {timeout} s; give a number of seconds above 0")
    return Settings(
        base_url=_address(base_url or environ.get("LOOKALIKE_URL") or DEFAULT_URL),
        token=_bearer(token),
        timeout=timeout,
    )


def proxy_of(base_url: str) -> str | None:
    """The proxy that the environment names for an address, as most programs understand it."""
    url = httpx.URL(base_url)
    if proxy_bypass(url.netloc.decode("ascii")):
        return None
    known = getproxies()
    proxy = known.get(url.scheme) or known.get("all")
    return proxy if proxy is None or "://" in proxy else f"http://{proxy}"


def _address(text: str) -> str:
    try:
        url = httpx.URL(text)
    except httpx.InvalidURL as error:
        raise UsageError(f"{text!r} is no address of a service: {error}") from error
    if url.scheme not in ("http", "https") or not url.host:
        raise UsageError(f"{text!r} is no address of a service; give one like {DEFAULT_URL}")
    return text


def _bearer(token: str) -> str | None:
    token = token.strip()
    if not (token.isascii() and token.isprintable()):
        raise UsageError("the token holds characters that no HTTP header can carry")
    return token or None


def _seconds(text: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise UsageError(f"LOOKALIKE_TIMEOUT is {text!r}; give a number of seconds") from error
