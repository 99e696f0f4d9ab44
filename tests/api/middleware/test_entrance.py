"""Answers as the outermost layer finishes them, with the real routes."""

from contextlib import asynccontextmanager
from ipaddress import ip_network

import httpx
import pytest

from bento_service.api.app import http_surface
from bento_service.settings import Settings

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def _nothing():
    yield None


def client(**given):
    transport = httpx.ASGITransport(http_surface(_nothing, Settings(**given)))
    return httpx.AsyncClient(transport=transport, base_url="http://gallery.example")


@pytest.mark.parametrize(
    ("trusted", "location"),
    [
        ("127.0.0.1/32", "/look/api/v2/search?a=%2F"),
        ("192.0.2.0/24", "/api/v2/search?a=%2F"),
    ],
)
async def test_a_redirect_names_no_host_and_has_the_prefix_of_a_trusted_proxy(trusted, location):
    sent = {"X-Forwarded-Proto": "https", "X-Forwarded-Prefix": "/look"}
    async with client(allow_anonymous=True, trusted_proxies=(ip_network(trusted),)) as http:
        answer = await http.post("/api/v2/search/?a=%2F", headers=sent)
    assert (answer.status_code, answer.headers["location"]) == (307, location)
