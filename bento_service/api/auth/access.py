"""Who may call what: tokens, scopes, rates, origins, and the audit log."""

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
"""Holds the token of somebody who uses the page."""

_SENDER = "lookalike_sender"
_audit = logging.getLogger("bento_service.audit")
_SAFE = ("GET", "HEAD", "OPTIONS")
_PUBLIC = ("/", "/static", "/api/v2/session")


@dataclass(frozen=True)
class Needs:
    """The scopes of which a route needs one; declared at the route by `needs`."""

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
    """What the operator has decided.

    Attributes:
        tokens: Those that are valid.
        allow_anonymous: Where there are no tokens, let others than this machine in too.
        trusted_proxies: Connections from there are believed whom they forward.
        origins: Other sites whose pages may call, such as `https://shop.example`.
        requests_per_second: Of one caller, on average; `None` for any number.
    """

    tokens: Tokens
    allow_anonymous: bool = False
    trusted_proxies: Sequence[Network] = ()
    origins: Sequence[str] = ()
    requests_per_second: float | None = None


class Access:
    """Lets those in who may come in. It reads no body."""

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

        async def watched(message: Message) -> None:
            if message["type"] == "http.response.start":
                _note(request, message["status"])
            await send(message)

        await self._app(scope, receive, watched)

    def _caller(self, request: Request) -> Caller | None:
        """Who asks; `None` for what everybody may see.

        Raises:
            Unauthenticated: Nobody that is known.
            Forbidden: A page of another site.
            Overloaded: Too often.
        """
        self._check_origin(request)
        path = request.url.path
        if path in _PUBLIC or path.startswith("/static/"):
            return None
        caller = self._known(request)
        host = request.client.host if request.client else ""
        sender = caller.name if self._rules.tokens.are_asked_for else host
        request.scope[_SENDER] = sender
        if wait := self._rates.wait(sender):
            raise Overloaded(
                f"{caller.name} may ask {self._rules.requests_per_second:g} times a second; try "
                f"again in {wait:.0f} s"
            )
        return caller

    def _known(self, request: Request) -> Caller:
        if not self._rules.tokens.are_asked_for:
            reason = None if self._rules.allow_anonymous else why_not_local(request)
            if reason is None:
                return ANYBODY
            raise Unauthenticated(
                f"only programs on this machine may call without a token, and this request {reason}"
                "; the operator sets LOOKALIKE_TOKENS or LOOKALIKE_TOKENS_FILE (and then send "
                "`Authorization: Bearer TOKEN`), or LOOKALIKE_ALLOW_ANONYMOUS=1 to let everybody in"
            )
        token = token_of(request)
        if token is None:
            raise Unauthenticated("this service asks for a token: `Authorization: Bearer TOKEN`")
        caller = self._rules.tokens.caller(token)
        if caller is None:
            raise Unauthenticated("this token is not valid (any more); ask the operator for one")
        return caller

    def _check_origin(self, request: Request) -> None:
        """Refuse what pages of other sites make a browser send; they could delete everything."""
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
    """Who is to share with others: a token, and without tokens an address."""
    return str(request.scope.get(_SENDER, ""))


def token_of(request: Request) -> str | None:
    """The token that a request carries, as a bearer token or as the page's cookie."""
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
        Forbidden: The caller's token does not have it.
    """
    if _declared(request.scope.get("route")) is _ADMIN:
        _ADMIN(request)


def _declared(route: object) -> Needs:
    """Return what a route declares in its `dependencies`."""
    for dependency in getattr(route, "dependencies", ()):
        if isinstance(dependency.dependency, Needs):
            return dependency.dependency
    return _ADMIN


def _note(request: Request, status: int) -> None:
    """An audit line of what changes something, and of what was refused."""
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
        # As it was sent, so without spaces and line breaks.
        request.scope.get("raw_path", b"-").decode("ascii", "backslashreplace"),
        status,
        request.scope.get("lookalike_request_id", "-"),
    )
