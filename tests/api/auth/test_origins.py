"""Requests from pages of this and of other sites, with the real routes."""

from ipaddress import ip_network

import pytest

from bento_service.api.auth.tokens import Scope
from bento_service.settings import Settings
from tests.support.surface import bearer, client, rules

pytestmark = pytest.mark.anyio


async def test_only_a_trusted_proxy_names_the_site_of_the_page():
    sent = {**bearer(Scope.ADMIN), "Origin": "https://evil.example"}
    sent["X-Forwarded-Host"] = "evil.example"
    for proxies, status in (([], 403), (["127.0.0.1/32"], 503)):
        trusted = [ip_network(proxy) for proxy in proxies]
        async with client(rules(trusted_proxies=trusted)) as http:
            answer = await http.post("/api/v2/delete", json={"all": True}, headers=sent)
        assert answer.status_code == status


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        (None, 204),
        ("http://127.0.0.1:8001", 204),
        ("https://shop.example", 204),
        ("https://evil.example", 403),
        ("http://127.0.0.1:9999", 403),
        ("null", 403),
    ],
)
async def test_a_page_of_another_site_changes_nothing_unless_it_is_allowed(origin, status):
    headers = {} if origin is None else {"Origin": origin}
    allowing = Settings(cors_origins=("https://shop.example",))
    async with client(allowing) as http:
        answer = await http.delete("/api/v2/session", headers=headers)
        assert answer.status_code == status


@pytest.mark.parametrize("host", ["127.0.0.1:8001", "[", ""])
@pytest.mark.parametrize(
    "origin", ["http://[", "http://[x]", "http://", "null", "https://evil.example"]
)
async def test_a_malformed_origin_or_host_is_of_another_site(origin, host):
    async with client(rules()) as http:
        answer = await http.delete("/api/v2/session", headers={"Origin": origin, "Host": host})
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")


async def test_an_allowed_site_may_read_answers_and_another_may_not():
    async with client(rules(cors_origins=("https://shop.example",))) as http:
        asking = {"Access-Control-Request-Method": "POST", "Origin": "https://shop.example"}
        preflight = await http.options("/api/v2/search", headers=asking)
        assert preflight.headers["access-control-allow-origin"] == "https://shop.example"
        other = await http.options(
            "/api/v2/search", headers={**asking, "Origin": "https://evil.example"}
        )
        assert "access-control-allow-origin" not in other.headers
        refused = await http.get("/openapi.json", headers={"Origin": "https://shop.example"})
        assert refused.status_code == 401
        assert refused.headers["access-control-allow-origin"] == "https://shop.example"
