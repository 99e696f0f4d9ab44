"""Two BentoML services that do nothing, as the minimum cost of a server like ours."""

import bentoml
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from client_sdk.schemas import SearchResponse, Took

_ANSWER = SearchResponse(
    collection="default",
    model="",
    hits=(),
    took_ms=Took(decode=0, describe=0, search=0, total=0),
).model_dump_json()


async def _search(request: Request) -> Response:
    await request.body()
    return Response(_ANSWER, media_type="application/json")


@bentoml.service(name="empty-behind", workers=1)
class EmptyBehind:
    """A service in place of the embedder."""

    @bentoml.api
    def nothing(self) -> str:
        """Nothing."""
        return ""


@bentoml.service(name="empty", workers=1, metrics={"enabled": False})
@bentoml.asgi_app(Starlette(routes=[Route("/api/v2/search", _search, methods=["POST"])]), path="/")
class Empty:
    """A service in place of the image search, which answers every search at once."""

    behind = bentoml.depends(EmptyBehind)
