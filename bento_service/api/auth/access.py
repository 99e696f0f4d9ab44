"""Access control by tokens, scopes, rate limits and origins, and the audit log."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from urllib.parse import urlsplit

from fastapi import Request, params
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bento_service.api.auth.rate_limit import Rates
from bento_service.api.auth.tokens import ANYBODY, Caller, Tokens
from bento_service.api.auth.tokens import Scope as May
from bento_service.api.http.forwarded import Network, why_not_local
from bento_service.api.http.problems import answer_error
from bento_service.errors import Forbidden, LookalikeError, Overloaded, Unauthenticated

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

    def __call__(self, request: Request) -> None:
        """Check the caller's scopes.

        Raises:
            Forbidden: The caller's token has none of them.
        """
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


@dataclass(frozen=True)
class AccessRules:
    """The operator's access rules.

    Attributes:
        tokens: The valid tokens.
        allow_anonymous: Without tokens, admit other machines too.
        trusted_proxies: Networks of proxies whose `X-Forwarded-For` is trusted.
        origins: Other sites whose pages may call, such as `https://shop.example`.
        requests_per_second: Average limit of one caller; `None` for no limit.
    """

    tokens: Tokens
    allow_anonymous: bool = False
    trusted_proxies: Sequence[Network] = ()
    origins: Sequence[str] = ()
    requests_per_second: float | None = None


class Access:
    """Middleware that admits permitted requests without reading their bodies."""

    def __init__(self, app: ASGIApp, rules: AccessRules) -> None:
        self._app = app
        self._rules = rules
        self._rates = Rates(rules.requests_per_second)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        try:
            scope["caller"] = self._caller(request)
        except LookalikeError as error:
            _write(request, "-", error.status)
            refusal = answer_error(request, error)
            if isinstance(error, Unauthenticated):
                refusal.headers["WWW-Authenticate"] = 'Bearer realm="lookalike"'
            await refusal(scope, receive, send)
            return

        async def send_audited(message: Message) -> None:
            if message["type"] == "http.response.start":
                _audit_response(request, message["status"])
            await send(message)

        await self._app(scope, receive, send_audited)

    def _caller(self, request: Request) -> Caller | None:
        """Return the caller, `None` for public paths.

        Raises:
            Unauthenticated: The token is missing or invalid.
            Forbidden: The request comes from a page of another site.
            Overloaded: The caller exceeds the rate limit.
        """
        self._check_origin(request)
        path = request.url.path
        if path in _PUBLIC or path.startswith("/static/"):
            return None
        caller = self._authenticate(request)
        host = request.client.host if request.client else ""
        sender = caller.name if self._rules.tokens.are_asked_for else host
        request.scope[_SENDER] = sender
        if wait := self._rates.wait(sender):
            raise Overloaded(
                f"{caller.name} may send {self._rules.requests_per_second:g} requests a second; "
                f"try again in {wait:.0f} s"
            )
        return caller

    def _authenticate(self, request: Request) -> Caller:
        if not self._rules.tokens.are_asked_for:
            reason = None if self._rules.allow_anonymous else why_not_local(request)
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
        caller = self._rules.tokens.caller(token)
        if caller is None:
            raise Unauthenticated("this token is invalid or revoked; ask the operator for one")
        return caller

    def _check_origin(self, request: Request) -> None:
        """Refuse changes by pages of other sites, which run in the browser of a user."""
        if request.method in _SAFE:
            return
        origin = request.headers.get("origin")
        if origin is None or origin in self._rules.origins:
            return
        hosts = {request.headers.get(name) for name in ("host", "x-forwarded-host")}
        if urlsplit(origin).netloc not in hosts:
            raise Forbidden(
                "a page of another site may not do this; the operator allows sites in "
                "LOOKALIKE_CORS_ORIGINS"
            )


def sender_of(request: Request) -> str:
    """Return the caller that shares limits: a token's name, or an address without tokens."""
    return str(request.scope.get(_SENDER, ""))


def token_of(request: Request) -> str | None:
    """Return the token of a request's header or of the page's cookie."""
    kind, _, token = request.headers.get("authorization", "").partition(" ")
    if kind.lower() == "bearer" and token.strip():
        return token.strip()
    cookies: SimpleCookie = SimpleCookie()
    try:
        cookies.load(request.headers.get("cookie", ""))
    except CookieError:
        return None
    return cookies[COOKIE].value if COOKIE in cookies else None


def undeclared_needs_admin(request: Request) -> None:
    """Require `admin` for a route that declares no scope.

    Raises:
        Forbidden: The caller's token lacks it.
    """
    if _declared(request.scope.get("route")) is _ADMIN:
        _ADMIN(request)


def _declared(route: object) -> Needs:
    """Return the scopes in a route's `dependencies`, by default `admin`."""
    for dependency in getattr(route, "dependencies", ()):
        if isinstance(dependency.dependency, Needs):
            return dependency.dependency
    return _ADMIN


def _audit_response(request: Request, status: int) -> None:
    """Write an audit line for changes and refusals."""
    caller: Caller | None = request.scope.get("caller")
    if caller is None:
        return
    changes = May.SEARCH not in _declared(request.scope.get("route")).any_of
    if status in (401, 403) or (request.method not in _SAFE and changes):
        _write(request, caller.name, status)


def _write(request: Request, name: str, status: int) -> None:
    _audit.info(
        "audit caller=%s from=%s %s %s %d request_id=%s",
        name,
        request.client.host if request.client else "-",
        request.method,
        # The raw path has no spaces and line breaks.
        request.scope.get("raw_path", b"-").decode("ascii", "backslashreplace"),
        status,
        request.scope.get("lookalike_request_id", "-"),
    )
