"""Requests that came through a proxy: how they are recognised, and what is believed of them.

A proxy on this machine makes every stranger a local connection, so a request with any forwarding
header never counts as local. The address of the caller is taken from `X-Forwarded-For` only where
the connection comes from a trusted proxy, because rate limits and the audit log depend on it.

`X-Forwarded-Proto`, `-Host`, `-Port` and `-Prefix` only shape the URLs in the answer to the same
request, which nobody but its sender reads; they are followed for everybody.
"""

import re
from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bento_service.api.auth.loopback import CONNECTION, is_loopback

Network = IPv4Network | IPv6Network
_FORWARDING = re.compile(
    r"(x-)?forwarded.*|x-original-.*|via|cdn-loop|front-end-https|surrogate-capability"
    r"|(.+-)?(client|cluster|connecting|originating|real|remote|socket|user)-?(ip(v6)?|addr)"
    r"|(x-)?(url-)?scheme|(cf|fastly|fly|tailscale|x-amz-cf|x-arr|x-azure|x-envoy|x-nf)-.*"
    r"|x-(host|proxy.*|varnish)"
)
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:[0-9]{1,5})?")
_PREFIX = re.compile(r"(/[A-Za-z0-9._~!$&'()*+,;=:@%-]+)+")
_USUAL_PORTS = ("80", "443")


class Forwarding:
    """Gives each request its real client, and relative `Location`s the path prefix of a proxy."""

    def __init__(self, app: ASGIApp, trusted: Sequence[Network]) -> None:
        self._app = app
        self._trusted = trusted

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        client, scheme = scope.get(CONNECTION, (scope.get("client"), scope["scheme"]))
        scope[CONNECTION] = (client, scheme)
        scope["scheme"] = scheme
        headers = Headers(scope=scope)
        host = _client_address(client, headers.getlist("x-forwarded-for"), self._trusted)
        scope["client"] = client if host is None else (host, 0)
        prefix = _prefix(headers)

        async def send_prefixed(message: Message) -> None:
            if prefix and message["type"] == "http.response.start":
                answer = MutableHeaders(scope=message)
                location = answer.get("location", "")
                if location.startswith("/") and not location.startswith("//"):
                    answer["location"] = prefix + location
            await send(message)

        await self._app(scope, receive, send_prefixed)


def why_not_local(request: Request) -> str | None:
    """Return why a request is not from a program on this machine that means this machine.

    A proxy on this machine connects through the loopback interface too, and a page of another
    site can have its own name lead here (DNS rebinding).
    """
    client, _ = request.scope.get(CONNECTION, (request.client, ""))
    if client is None or not is_loopback(str(client[0])):
        return "comes from another machine"
    for name in request.headers:
        if _FORWARDING.fullmatch(name.replace("_", "-")):
            return f"comes through a proxy, since it has the header {name!r:.80}"
    if request.scope.get("http_version") == "1.0":
        return "comes over HTTP/1.0, as proxies send it"
    hosts = request.headers.getlist("host")
    if len(hosts) != 1 or not _names_this_machine(hosts[0]):
        asked = ", ".join(hosts)
        return f"asks for the host {asked!r:.80}, not for localhost or a loopback address"
    return None


def public_url(request: Request) -> str:
    """Return scheme, host and path prefix by which the caller reached the service."""
    headers = request.headers
    scheme = _first(headers, "x-forwarded-proto").lower()
    if scheme not in ("http", "https"):
        scheme = request.url.scheme
    host = _first(headers, "x-forwarded-host")
    if not _HOST.fullmatch(host):
        host = headers.get("host", request.url.netloc)
    port = _first(headers, "x-forwarded-port")
    has_port = re.search(r":[0-9]+$", host)
    if port.isdecimal() and port.isascii() and not has_port and port not in _USUAL_PORTS:
        host = f"{host}:{port}"
    return f"{scheme}://{host}{_prefix(headers)}"


def _client_address(
    client: tuple[str, int] | None, forwarded_for: Iterable[str], trusted: Sequence[Network]
) -> str | None:
    """Return the last address before the trusted proxies; `None` where none is told."""
    if client is None or not _is_among(_address(client[0]), trusted):
        return None
    known = None
    for entry in reversed(",".join(forwarded_for).split(",")):
        address = _address(entry)
        if address is None:  # what is left of it was written by nobody who is trusted
            break
        known = str(address)
        if not _is_among(address, trusted):
            break
    return known


def _is_among(address: IPv4Address | IPv6Address | None, networks: Sequence[Network]) -> bool:
    return address is not None and any(address in network for network in networks)


def _address(entry: str) -> IPv4Address | IPv6Address | None:
    """Return the address of `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1` or `[2001:db8::1]:80`."""
    text = entry.strip()
    bracketed = re.fullmatch(r"\[(.*)\](:[0-9]+)?", text)
    if bracketed:
        text = bracketed[1]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def _names_this_machine(host: str) -> bool:
    if not _HOST.fullmatch(host):
        return False
    name = re.sub(r":[0-9]+$", "", host) if host.count(":") == 1 or "]" in host else host
    name = name.strip("[]").lower().removesuffix(".")
    return is_loopback(name) or name.endswith(".localhost")


def _prefix(headers: Headers) -> str:
    prefix = _first(headers, "x-forwarded-prefix").rstrip("/")
    return prefix if _PREFIX.fullmatch(prefix) else ""


def _first(headers: Headers, name: str) -> str:
    """Return the entry that the outermost proxy wrote."""
    return headers.get(name, "").split(",")[0].strip()
