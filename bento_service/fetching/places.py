"""Rules for URLs, checked on their text before any network access."""

from collections.abc import Sequence
from dataclasses import dataclass

from yarl import URL

from bento_service.errors import Forbidden, InvalidArgument
from bento_service.fetching.addresses import Network

_SCHEMES = ("http", "https")


@dataclass(frozen=True)
class FetchRules:
    """The operator's rules for downloads.

    Attributes:
        max_bytes: Largest picture.
        seconds: Time limit of name lookup, redirects and transfer together.
        hosts: Allowed hosts; `.example.org` means all names below it. Without entries, any
            host is allowed.
        ports: Allowed ports.
        networks: Allowed networks that are not public.
    """

    max_bytes: int
    seconds: float = 10.0
    hosts: Sequence[str] = ()
    ports: Sequence[int] = (80, 443)
    networks: Sequence[Network] = ()


def allowed_place(text: str, rules: FetchRules) -> URL:
    """Return a URL that may be fetched if its addresses are public.

    Raises:
        InvalidArgument: The scheme or the port is not allowed, or the URL holds a password.
        Forbidden: The host is not allowed.
    """
    if not text.isprintable() or any(letter in text for letter in " \\"):
        raise InvalidArgument("url: holds blanks or characters that no URL has")
    try:
        url = URL(text)
        host, port = url.raw_host, url.port
    except (ValueError, TypeError) as error:
        raise InvalidArgument("url: is not a URL") from error
    if url.scheme not in _SCHEMES or not host:
        raise InvalidArgument("url: begins with http:// or https:// and names a host")
    if url.user is not None or url.password is not None:
        raise InvalidArgument("url: holds a name or a password; none is sent on")
    if port not in rules.ports:
        ports = ", ".join(map(str, rules.ports))
        raise InvalidArgument(f"url: has the port {port}; allowed are {ports}")
    if rules.hosts and not any(_is_below(host, one) for one in rules.hosts):
        raise Forbidden("url: the operator allows only some hosts, in LOOKALIKE_URL_HOSTS")
    return url.with_fragment(None)


def _is_below(host: str, allowed: str) -> bool:
    name = host.lower().rstrip(".")
    return name.endswith(allowed) if allowed.startswith(".") else name == allowed
