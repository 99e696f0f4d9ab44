"""Access control by tokens, scopes, rate limits and origins, and the audit log."""

import logging
from dataclasses import dataclass
from urllib.parse import urlsplit

from fastapi import Request, params
from starlette.types import ASGIApp, Receive, Scope, Send

from bento_service.api.auth.rate_limit import Rates
from bento_service.api.auth.tokens import ANYBODY, Caller, Tokens
from bento_service.api.auth.tokens import Scope as May
from bento_service.api.http.forwarded import public_url, why_not_local
from bento_service.api.http.problems import answer_error
from bento_service.errors import Forbidden, LookalikeError, Overloaded, Unauthenticated
from bento_service.settings import Settings

COOKIE = "lookalike_token"
"""The cookie with the token of a user of the page."""

_SENDER = "lookalike_sender"
_audit = logging.getLogger("bento_service.audit")
_SAFE = ("GET", "HEAD", "OPTIONS")
_PUBLIC = ("/", "/static", "/api/v2/session")


@dataclass(frozen=True)
class Needs:
    """The scopes of a route, of which a caller needs one; `needs` declares them."""

    any_of: tuple[May, ...]

    # Not `def`, for which FastAPI would start a thread: this costs less than the change of threads.
    async def __call__(self, request: Request) -> None:
        """Raise `Forbidden` unless the caller's token has one of the scopes."""
        caller: Caller | None = request.scope.get("caller")
        if caller is not None and not caller.may(*self.any_of):
            raise Forbidden(
                f"the token {caller.name!r} does not have the scope {' or '.join(self.any_of)} "
                "that this call needs; ask the operator"
            )


def needs(*any_of: May) -> params.Depends:
    """Return the entry of a route's `dependencies` that admits callers with one of these scopes."""
    return params.Depends(Needs(any_of))


READ = needs(May.SEARCH, May.TRAIN)
SEARCH = needs(May.SEARCH)
TRAIN = needs(May.TRAIN)
_ADMIN = Needs((May.ADMIN,))


class Access:
    """Middleware that admits permitted requests without reading their bodies."""

    def __init__(self, app: ASGIApp, settings: Settings, tokens: Tokens) -> None:
        self._app = app
        self._settings = settings
        self._tokens = tokens
        self._rates = Rates(settings.requests_per_second)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        try:
            scope["caller"] = self._caller(request)
        except LookalikeError as error:
            refusal = answer_error(request, error)
            if isinstance(error, Unauthenticated):
                refusal.headers["WWW-Authenticate"] = 'Bearer realm="lookalike"'
            await refusal(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _caller(self, request: Request) -> Caller | None:
        """Return the caller, `None` for public paths.

        Raises:
            Unauthenticated: The token is missing or invalid.
            Forbidden: The request comes from a page of another site.
            Overloaded: The caller exceeds the rate limit.
        """
        self._check_origin(request)
        # Routes match this path; that of `request.url` has no line breaks and depends on `Host`.
        path = request.scope["path"]
        if path in _PUBLIC or path.startswith("/static/"):
            return None
        caller = self._authenticate(request)
        host = request.client.host if request.client else ""
        sender = caller.name if self._tokens.are_required else host
        request.scope[_SENDER] = sender
        if wait := self._rates.wait(sender):
            raise Overloaded(
                f"{caller.name} may send {self._settings.requests_per_second:g} requests a second; "
                f"try again in {wait} s",
                retry_after=wait,
            )
        return caller

    def _authenticate(self, request: Request) -> Caller:
        if not self._tokens.are_required:
            reason = None if self._settings.allow_anonymous else why_not_local(request)
            if reason is None:
                return ANYBODY
            raise Unauthenticated(
                f"only programs on this machine may call without a token, and this request {reason}"
                "; the operator can set LOOKALIKE_TOKENS or LOOKALIKE_TOKENS_FILE (then send "
                "`Authorization: Bearer TOKEN`), or LOOKALIKE_ALLOW_ANONYMOUS=1 to admit everybody"
            )
        token = token_of(request)
        if token is None:
            raise Unauthenticated("this service needs a token: `Authorization: Bearer TOKEN`")
        caller = self._tokens.caller(token)
        if caller is None:
            raise Unauthenticated("this token is invalid or revoked; ask the operator for one")
        return caller

    def _check_origin(self, request: Request) -> None:
        """Refuse changes by pages of other sites, which run in the browser of a user."""
        if request.method in _SAFE:
            return
        origin = request.headers.get("origin")
        if origin is None or origin in self._settings.cors_origins:
            return
        site = _site(origin)
        if not site or site not in (request.headers.get("host"), _site(public_url(request))):
            raise Forbidden(
                "a page of another site may not do this; the operator allows sites in "
                "LOOKALIKE_CORS_ORIGINS"
            )


def _site(url: str) -> str:
    """Return the host and port of a URL, an empty string if it has none or is malformed."""
    try:
        return urlsplit(url).netloc
    except ValueError:
        return ""


def sender_of(request: Request) -> str:
    """Return the caller that shares limits: a token's name, or an address without tokens."""
    return str(request.scope.get(_SENDER, ""))


def token_of(request: Request) -> str | None:
    """Return the token of a request's header or of the page's cookie."""
    kind, _, token = request.headers.get("authorization", "").partition(" ")
    if kind.lower() == "bearer" and token.strip():
        return token.strip()
    return request.cookies.get(COOKIE)


async def undeclared_needs_admin(request: Request) -> None:
    """Raise `Forbidden` for a route without declared scopes unless the caller is an admin."""
    if _declared(request.scope.get("route")) is _ADMIN:
        await _ADMIN(request)


def _declared(route: object) -> Needs:
    """Return the scopes in a route's `dependencies`, by default `admin`."""
    for dependency in getattr(route, "dependencies", ()):
        if isinstance(dependency.dependency, Needs):
            return dependency.dependency
    return _ADMIN


def audit(request: Request, status: int) -> None:
    """Write an audit line for changes and refusals."""
    caller: Caller | None = request.scope.get("caller")
    if status not in (401, 403) and (caller is None or not _changes(request)):
        return
    _audit.info(
        "audit caller=%s from=%s %s %s %d request_id=%s",
        "-" if caller is None else caller.name,
        request.client.host if request.client else "-",
        request.method,
        # The raw path has no spaces and line breaks.
        request.scope.get("raw_path", b"-").decode("ascii", "backslashreplace"),
        status,
        request.scope.get("lookalike_request_id", "-"),
    )


def _changes(request: Request) -> bool:
    route = request.scope.get("route")  # none if the request was rejected before, as under load
    is_write = request.method not in _SAFE
    return is_write and route is not None and May.SEARCH not in _declared(route).any_of
