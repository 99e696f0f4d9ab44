"""Answers as the outermost layer finishes them, with the real routes."""

from ipaddress import ip_network

import pytest

from bento_service.settings import Settings
from tests.support.surface import client

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("trusted", "location"),
    [
        ("127.0.0.1/32", "/look/api/v2/search?a=%2F"),
        ("192.0.2.0/24", "/api/v2/search?a=%2F"),
    ],
)
async def test_a_redirect_names_no_host_and_has_the_prefix_of_a_trusted_proxy(trusted, location):
    sent = {"X-Forwarded-Proto": "https", "X-Forwarded-Prefix": "/look"}
    rules = Settings(allow_anonymous=True, trusted_proxies=(ip_network(trusted),))
    async with client(rules) as http:
        answer = await http.post("/api/v2/search/?a=%2F", headers=sent)
    assert (answer.status_code, answer.headers["location"]) == (307, location)
