"""The outermost layer: routes everything but the probes to the surface, in front of BentoML."""

from fastapi import Request
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bento_service.api.http.problems import answer_defect, answer_status, is_line_route
from bento_service.api.middleware.request_id import RequestId

PROBES = ("/livez", "/readyz")
"""Paths that BentoML answers."""
_KEPT_HEADERS = ("allow", "retry-after", "vary")


async def enter(
    surface: ASGIApp, bentoml: ASGIApp, scope: Scope, receive: Receive, send: Send
) -> None:
    """Serve one request by the surface; only the probes reach BentoML.

    BentoML's other routes, such as `/schema.json`, cannot be reached.
    """
    if scope["type"] == "websocket":
        await send({"type": "websocket.close"})
    elif scope["type"] == "http" and scope["path"] not in PROBES:
        await surface(scope, receive, send)
    else:
        await RequestId(OnlyProblems(bentoml))(scope, receive, send)


class OnlyProblems:
    """Middleware that rewrites other code's failures as problem documents."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        is_begun = is_replaced = False

        async def translated(message: Message) -> None:
            nonlocal is_begun, is_replaced
            is_begun = True
            if message["type"] == "http.response.start" and _is_foreign(request, message):
                is_replaced = True
                ours = answer_status(request, message["status"], _detail(request))
                given = Headers(raw=message.get("headers", []))
                ours.headers.update({name: given[name] for name in _KEPT_HEADERS if name in given})
                await ours(scope, receive, send)
            elif not is_replaced:
                await send(message)

        try:
            await self._app(scope, receive, translated)
        except Exception as error:
            if is_begun:  # a partial answer cannot be replaced
                raise
            await answer_defect(request, error)(scope, receive, send)


def _is_foreign(request: Request, message: Message) -> bool:
    if message["status"] < 400:
        return False
    kind = Headers(raw=message.get("headers", [])).get("content-type", "")
    return kind != "application/problem+json" and not is_line_route(request)


def _detail(request: Request) -> str:
    if request.url.path in PROBES:
        return "the service is not available; see /metrics and its log"
    return "the request cannot be answered; /openapi.json lists the routes"
