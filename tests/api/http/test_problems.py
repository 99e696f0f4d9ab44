import asyncio

import httpx
import pytest
from fastapi import FastAPI

from bento_service.api.http import problems
from bento_service.errors import CatalogueUnavailable
from bento_service.settings import Settings
from tests.support.surface import client


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


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/api/v1/nothing", "text/plain; charset=utf-8"),
        ("/data/", "text/plain; charset=utf-8"),
        ("/api/v1%09/nothing", "application/problem+json"),
        ("/da%0Ata/", "application/problem+json"),
    ],
)
@pytest.mark.anyio
async def test_only_the_paths_of_version_1_are_answered_with_lines(path, kind):
    async with client(Settings()) as http:
        answer = await http.get(path)
    assert (answer.status_code, answer.headers["content-type"]) == (404, kind)
