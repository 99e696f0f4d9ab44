"""Address, token, timeouts and proxy; this module reads the environment."""

import ipaddress
import math
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import TypeVar
from urllib.request import getproxies, proxy_bypass

import httpx

from client_sdk._arguments import is_seconds
from client_sdk.errors import UsageError

DEFAULT_URL = "http://127.0.0.1:8001"
DEFAULT_TIMEOUT = 60.0
MAX_CONNECT_SECONDS = 5.0
MAX_SILENCE_SECONDS = 45.0  # of a stream; the service sends a heartbeat every 15 s

# Drop an idle connection well before the service does, after 5 s: a request that is sent while the
# service closes the connection would fail.
_CONNECTIONS = httpx.Limits(max_connections=100, max_keepalive_connections=20, keepalive_expiry=2.0)

TransportT = TypeVar("TransportT")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The settings of a client.

    Attributes:
        base_url: The scheme, host, port and optional path, such as `https://host/lookalike`.
        token: The bearer token; `None` sends none.
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
        """Return the time limits of one request; no step may take longer than `within` seconds."""
        seconds = min(self.timeout, within)
        return httpx.Timeout(seconds, connect=min(seconds, MAX_CONNECT_SECONDS))

    @property
    def stream_limits(self) -> httpx.Timeout:
        """The time limits of a stream, which may receive nothing but heartbeats."""
        usual = self.limits()
        read = max(self.timeout, MAX_SILENCE_SECONDS)
        return httpx.Timeout(self.timeout, connect=usual.connect, read=read)


def resolve(
    base_url: str | None = None,
    token: str | None = None,
    timeout: float | None = None,
    environ: Mapping[str, str] = os.environ,
) -> Settings:
    """Return the settings: each from its argument, else from the environment, else the default.

    An empty token sends none, even if the environment has one.
    """
    if token is None:
        token = environ.get("LOOKALIKE_TOKEN", "")
    if timeout is None:
        timeout = _seconds(environ.get("LOOKALIKE_TIMEOUT") or str(DEFAULT_TIMEOUT))
    if not is_seconds(timeout) or timeout == 0:
        raise UsageError(f"timeout={timeout!r}; give a number of seconds above 0")
    return Settings(
        base_url=_address(base_url or environ.get("LOOKALIKE_URL") or DEFAULT_URL),
        token=_bearer(token),
        timeout=timeout,
    )


def model_folder(
    given: str | PurePath | None = None, environ: Mapping[str, str] = os.environ
) -> Path:
    """Return the folder of the model of a service in this process.

    It is the given folder, else `LOOKALIKE_MODEL`, else a folder in the user's cache.
    """
    named = given or environ.get("LOOKALIKE_MODEL")
    if named:
        return Path(named)
    cache = environ.get("XDG_CACHE_HOME")
    return (Path(cache) if cache else Path.home() / ".cache") / "lookalike" / "model"


def transport_of(kind: Callable[..., TransportT], base_url: str) -> TransportT:
    """Return an httpx transport that uses the proxy of the environment."""
    proxy = proxy_of(base_url)
    try:
        return kind(limits=_CONNECTIONS, proxy=proxy)
    except (ImportError, ValueError, httpx.InvalidURL) as error:
        if proxy is None:
            raise
        shown = re.sub(r"//.*@", "//...@", proxy)  # it may contain a password
        is_socks = isinstance(error, ImportError)
        reason = "SOCKS needs `pip install 'httpx[socks]'`" if is_socks else "not an HTTP proxy"
        raise UsageError(
            f"the proxy {shown} that the environment names for {base_url} cannot be used "
            f"({reason}); name an HTTP proxy, or add the host to NO_PROXY"
        ) from error


def proxy_of(base_url: str) -> str | None:
    """Return the proxy of the environment for an address, or `None`; loopback needs none."""
    url = httpx.URL(base_url)
    if _is_this_machine(url.host) or proxy_bypass(url.netloc.decode("ascii")):
        return None
    known = getproxies()
    proxy = known.get(url.scheme) or known.get("all")
    return proxy if proxy is None or "://" in proxy else f"http://{proxy}"


def _is_this_machine(host: str) -> bool:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
    return address.is_loopback or address.is_unspecified


def _address(text: str) -> str:
    try:
        url = httpx.URL(text)
    except (httpx.InvalidURL, TypeError) as error:
        raise UsageError(f"{text!r} is no address of a service: {error}") from error
    if url.scheme not in ("http", "https") or not url.host:
        raise UsageError(f"{text!r} is no address of a service; give one like {DEFAULT_URL}")
    return text


def _bearer(token: str) -> str | None:
    if not isinstance(token, str):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise UsageError(f"the token is of type {type(token).__name__}; give a text")
    token = token.strip()
    if not (token.isascii() and token.isprintable()):
        raise UsageError("the token contains characters that no HTTP header can carry")
    return token or None


def _seconds(text: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise UsageError(f"LOOKALIKE_TIMEOUT is {text!r}; give a number of seconds") from error
