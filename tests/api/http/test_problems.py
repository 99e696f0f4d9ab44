import asyncio

import httpx
from fastapi import FastAPI

from bento_service.api.http import problems
from bento_service.errors import CatalogueUnavailable


def test_a_catalogue_that_does_not_answer_is_503_not_ready_with_a_time_to_retry():
    app = FastAPI()
    problems.install(app)

    @app.get("/api/v2/count")
    async def count() -> None:
        raise CatalogueUnavailable("the catalogue's database does not answer")

    async def call() -> httpx.Response:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return await client.get("/api/v2/count")

    answer = asyncio.run(call())
    assert (answer.status_code, answer.json()["code"]) == (503, "not_ready")
    assert answer.headers["Retry-After"] == "2"
