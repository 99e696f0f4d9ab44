"""Rules for URLs, checked on their text before any network access."""

from yarl import URL

from bento_service.errors import Forbidden, InvalidArgument
from bento_service.settings import Settings

_SCHEMES = ("http", "https")


def allowed_url(text: str, settings: Settings) -> URL:
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
    if port not in settings.url_ports:
        ports = ", ".join(map(str, settings.url_ports))
        raise InvalidArgument(f"url: has the port {port}; allowed are {ports}")
    if settings.url_hosts and not any(_is_below(host, allowed) for allowed in settings.url_hosts):
        raise Forbidden("url: the operator allows only some hosts, in LOOKALIKE_URL_HOSTS")
    return url.with_fragment(None)


def _is_below(host: str, allowed: str) -> bool:
    name = host.lower().rstrip(".")
    return name.endswith(allowed) if allowed.startswith(".") else name == allowed
