"""Recognition of requests through proxies, and their forwarding headers.

Behind a proxy on this machine, requests of strangers have local connections, so a request with any
forwarding header never counts as local. The caller's address is read from `X-Forwarded-For` only
for connections from a trusted proxy, because rate limits and the audit log depend on it.

`X-Forwarded-Proto`, `-Host`, `-Port` and `-Prefix` shape the URLs in responses, and which origin is
the service's own. They are trusted from the same proxies alone.
"""

import re
from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import Scope

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
_PUBLIC_URL = "lookalike_public_url"


def set_client(scope: Scope, trusted: Sequence[Network]) -> str:
    """Set the client and the public URL that the connection or a trusted proxy names.

    Returns:
        The path under which a trusted proxy serves this service, or an empty string.
    """
    client, scheme = scope.get(CONNECTION, (scope.get("client"), scope["scheme"]))
    scope[CONNECTION] = (client, scheme)
    scope["client"], scope["scheme"] = client, scheme
    if client is None or not trusted or not _is_among(_address(client[0]), trusted):
        return ""
    headers = Headers(scope=scope)
    if host := _client_address(headers.getlist("x-forwarded-for"), trusted):
        scope["client"] = (host, 0)
    scope[_PUBLIC_URL] = _public_url(headers, scheme)
    return _prefix(headers)


def why_not_local(request: Request) -> str | None:
    """Return the reason why a request may come from elsewhere, `None` if it is local.

    A proxy on this machine connects through the loopback interface too, and the domain name of
    another site's page can resolve to this machine (DNS rebinding).
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
        names = ", ".join(hosts)
        return f"has the host {names!r:.80}, not localhost or a loopback address"
    return None


def public_url(request: Request) -> str:
    """Return the scheme, host and path prefix that the caller used."""
    direct = f"{request.url.scheme}://{request.headers.get('host', request.url.netloc)}"
    return str(request.scope.get(_PUBLIC_URL, direct))


def _public_url(headers: Headers, connection_scheme: str) -> str:
    """Return the URL of the service that a proxy's headers name."""
    scheme = _first(headers, "x-forwarded-proto").lower()
    if scheme not in ("http", "https"):
        scheme = connection_scheme
    host = _first(headers, "x-forwarded-host")
    if not _HOST.fullmatch(host):
        host = headers.get("host", "")
    port = _first(headers, "x-forwarded-port")
    has_port = re.search(r":[0-9]+$", host)
    if port.isdecimal() and port.isascii() and not has_port and port not in _USUAL_PORTS:
        host = f"{host}:{port}"
    return f"{scheme}://{host}{_prefix(headers)}"


def _client_address(forwarded_for: Iterable[str], trusted: Sequence[Network]) -> str | None:
    """Return the last address before the trusted proxies, `None` if none is known."""
    last = None
    for entry in reversed(",".join(forwarded_for).split(",")):
        address = _address(entry)
        if address is None:  # earlier entries are not from a trusted proxy
            break
        last = str(address)
        if not _is_among(address, trusted):
            break
    return last


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
