"""Address, token, timeouts, proxy and certificates, from arguments and the environment."""

import ipaddress
import math
import os
import re
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import TypeVar
from urllib.request import getproxies, proxy_bypass

import httpx

from client_sdk.errors import UsageError

DEFAULT_URL = "http://127.0.0.1:8001"
LOCAL = "local:"
"""The prefix of the folder of a service inside this process, in place of an address."""
LOCAL_URL = "http://localhost"
"""The address of such a service in requests and messages."""
MAX_CONNECT_SECONDS = 5.0
MAX_SILENCE_SECONDS = 45.0  # of a stream; the service sends a heartbeat every 15 s

# Some proxies close idle connections after 5 s. Drop them earlier: a request that is sent while a
# server closes its connection fails.
_CONNECTIONS = httpx.Limits(max_connections=100, max_keepalive_connections=20, keepalive_expiry=2.0)

TransportT = TypeVar("TransportT")
Verify = ssl.SSLContext | str | PurePath | bool | None
"""The certificates to trust; see `Client`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The settings of a client.

    Attributes:
        timeout: Seconds for each step of a request, such as the wait for a piece of the answer.
        folder: The data folder of a service inside this process, empty for a temporary one.
    """

    base_url: str
    token: str | None = field(repr=False)
    timeout: float
    folder: str | None = None

    def __post_init__(self) -> None:
        if not 0 < self.timeout < math.inf:
            raise UsageError(f"timeout={self.timeout!r}; give a number of seconds above 0")

    @property
    def address(self) -> str:
        """The address as a caller gives it, but without a password."""
        return _hidden(self.base_url) if self.folder is None else f"{LOCAL}{self.folder}"

    @property
    def headers(self) -> dict[str, str]:
        """The headers of every request."""
        return {} if self.token is None else {"Authorization": f"Bearer {self.token}"}

    def limits(self, within: float = math.inf, *, least_read: float = 0.0) -> httpx.Timeout:
        """Return the time limits of one request; no step may take longer than `within` seconds."""
        seconds = min(self.timeout, within)
        connect, read = min(seconds, MAX_CONNECT_SECONDS), max(seconds, least_read)
        return httpx.Timeout(seconds, connect=connect, read=read)


def resolve(
    base_url: str | None = None,
    token: str | None = None,
    timeout: float | None = None,
    environ: Mapping[str, str] = os.environ,
) -> Settings:
    """Return the settings: each from its argument, else from the environment, else the default."""
    if token is None:
        token = environ.get("LOOKALIKE_TOKEN", "")
    if timeout is None:
        text = environ.get("LOOKALIKE_TIMEOUT") or "60"
        try:
            timeout = float(text)
        except ValueError as error:
            raise UsageError(f"LOOKALIKE_TIMEOUT is {text!r}; give a number of seconds") from error
    address = base_url or environ.get("LOOKALIKE_URL") or DEFAULT_URL
    if address.startswith(LOCAL):
        folder = address.removeprefix(LOCAL)
        return Settings(base_url=LOCAL_URL, token=None, timeout=timeout, folder=folder)
    return Settings(base_url=_address(address), token=_bearer(token), timeout=timeout)


def check_one_of(
    settings: Settings, transport: object, http_client: object, verify: object
) -> None:
    """Raise a `UsageError` if two arguments choose the way to the service."""
    ways = settings.folder, transport, http_client, verify
    names = "local:", "transport", "http_client", "verify"
    chosen = [name for name, way in zip(names, ways, strict=True) if way is not None]
    if len(chosen) > 1:
        raise UsageError(f"{' and '.join(chosen)} exclude each other; give one of them")


def transport_of(kind: Callable[..., TransportT], base_url: str, verify: Verify) -> TransportT:
    """Return an httpx transport that uses the proxy and the certificates of the environment."""
    proxy = proxy_of(base_url)
    trusted = _trusted(verify, base_url)
    try:
        return kind(limits=_CONNECTIONS, proxy=proxy, verify=trusted)
    except (ImportError, ValueError, httpx.InvalidURL) as error:
        if proxy is None:
            raise
        is_socks = isinstance(error, ImportError)
        reason = "SOCKS needs `pip install 'httpx[socks]'`" if is_socks else "not an HTTP proxy"
        raise UsageError(
            f"the proxy {_hidden(proxy)} that the environment names for {base_url} cannot be used "
            f"({reason}); name an HTTP proxy, or add the host to NO_PROXY"
        ) from error


def _hidden(url: str) -> str:
    """Return a URL without its user and password."""
    return re.sub(r"//.*@", "//...@", url)


def _trusted(verify: Verify, base_url: str) -> ssl.SSLContext | bool:
    if isinstance(verify, ssl.SSLContext | bool):
        return verify
    if verify is None and httpx.URL(base_url).scheme == "http":
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # trusts nothing; reading them takes 20 ms
    name = os.environ.get("SSL_CERT_FILE") if verify is None else str(verify)
    if not name:
        return True
    try:
        return ssl.create_default_context(cafile=name)
    except (OSError, ValueError) as error:
        source = "SSL_CERT_FILE" if verify is None else "verify"
        raise UsageError(
            f"{source} is {name!r}, which has no readable certificates: {error}"
        ) from error


def proxy_of(base_url: str) -> str | None:
    """Return the proxy of the environment for an address, or `None`; loopback needs none."""
    url = httpx.URL(base_url)
    if is_this_machine(url.host) or proxy_bypass(url.netloc.decode("ascii")):
        return None
    known = getproxies()
    proxy = known.get(url.scheme) or known.get("all")
    return proxy if proxy is None or "://" in proxy else f"http://{proxy}"


def is_this_machine(host: str) -> bool:
    """Return True if the host of a URL is this machine."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
    return address.is_loopback or address.is_unspecified


def _address(text: str) -> str:
    try:
        url = httpx.URL(text)
    except (httpx.InvalidURL, ValueError) as error:
        raise UsageError(f"{text!r} is not the address of a service: {error}") from error
    if url.scheme not in ("http", "https") or not url.host:
        raise UsageError(f"{text!r} is not the address of a service; give one like {DEFAULT_URL}")
    return text


def _bearer(token: str) -> str | None:
    token = token.strip()
    if not (token.isascii() and token.isprintable()):
        raise UsageError("the token contains characters that no HTTP header can carry")
    return token or None
