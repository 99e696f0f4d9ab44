"""Access control of the real routes."""

import re
from contextlib import nullcontext
from ipaddress import ip_network

import pytest
from starlette.routing import Mount

from bento_service.api.app import http_surface
from bento_service.api.auth.access import COOKIE
from bento_service.api.auth.tokens import Scope
from client_sdk import __version__
from tests.support.surface import TOKENS, bearer, client, rules

pytestmark = pytest.mark.anyio


def _routes(routes):
    for route in routes:
        if hasattr(route, "original_router"):  # as FastAPI keeps the routers that it includes
            yield from _routes(route.original_router.routes)
        elif not isinstance(route, Mount):
            yield from ((method, route.path) for method in route.methods - {"HEAD"})


ROUTES = sorted(set(_routes(http_surface(nullcontext, rules()).routes)))
PUBLIC = {
    ("GET", "/"),
    ("GET", "/static/{digest}/{name:path}"),
    ("POST", "/api/v2/session"),
    ("DELETE", "/api/v2/session"),
}
READ = (Scope.SEARCH, Scope.TRAIN)
NEEDS = {
    ("POST", "/api/v2/train"): (Scope.TRAIN,),
    ("GET", "/api/v2/process"): READ,
    ("GET", "/api/v2/count"): READ,
    ("POST", "/api/v2/count"): READ,
    ("POST", "/api/v2/search"): (Scope.SEARCH,),
    ("POST", "/api/v2/describe"): (Scope.SEARCH,),
    ("POST", "/api/v2/compare"): (Scope.SEARCH,),
    ("POST", "/api/v2/duplicates"): (Scope.SEARCH,),
    ("POST", "/api/v2/delete"): (Scope.TRAIN,),
    ("GET", "/api/v2/images"): READ,
    ("POST", "/api/v2/known"): READ,
    ("GET", "/api/v2/images/{image_id}"): READ,
    ("PATCH", "/api/v2/images/{image_id}"): (Scope.TRAIN,),
    ("DELETE", "/api/v2/images/{image_id}"): (Scope.TRAIN,),
    ("GET", "/api/v2/images/{image_id}/content"): READ,
    ("GET", "/api/v2/images/{image_id}/thumbnail"): READ,
    ("GET", "/api/v2/jobs"): READ,
    ("GET", "/api/v2/jobs/{job_id}"): READ,
    ("GET", "/api/v2/jobs/{job_id}/errors"): READ,
    ("GET", "/api/v2/jobs/{job_id}/events"): READ,
    ("POST", "/api/v2/jobs/{job_id}/cancel"): (Scope.TRAIN,),
    ("POST", "/api/v2/jobs/{job_id}/retry"): (Scope.TRAIN,),
    ("GET", "/api/v2/collections"): READ,
    ("POST", "/api/v2/collections"): (Scope.TRAIN,),
    ("DELETE", "/api/v2/collections/{name}"): (Scope.TRAIN,),
    ("GET", "/api/v2/info"): READ,
    ("GET", "/api/v2/roots"): (Scope.TRAIN,),
    ("GET", "/api/v2/roots/{root}/entries"): (Scope.TRAIN,),
    ("POST", "/api/v1/train"): (Scope.TRAIN,),
    ("GET", "/api/v1/process"): READ,
    ("POST", "/api/v1/count"): READ,
    ("POST", "/api/v1/search"): (Scope.SEARCH,),
    ("POST", "/api/v1/delete"): (Scope.TRAIN,),
    ("GET", "/data/{image}"): READ,
    ("GET", "/data/{image}/{name}"): READ,
    ("GET", "/metrics"): READ,
    ("GET", "/openapi.json"): READ,
}
ADMIN = {
    ("POST", "/api/v2/collections/{name}/reindex"),
    ("POST", "/api/v2/collections/{name}/reindex/undo"),
    ("DELETE", "/api/v2/collections/{name}/reindex"),
}


def _called(path):
    return re.sub(r"\{.*?\}", "1", path)


def test_the_table_has_every_route_and_no_other():
    assert set(ROUTES) == PUBLIC | ADMIN | set(NEEDS)


@pytest.mark.parametrize(("method", "path"), sorted(set(ROUTES) - PUBLIC))
async def test_every_route_checks_every_caller(method, path):
    needed = NEEDS.get((method, path), (Scope.ADMIN,))
    async with client(rules()) as http:
        for headers in ({}, {"Authorization": "Bearer " + "z" * 24}, {"Authorization": "Basic x"}):
            refused = await http.request(method, _called(path), headers=headers)
            assert refused.status_code == 401
            assert refused.headers["www-authenticate"].startswith("Bearer")
        for scope in Scope:
            answer = await http.request(method, _called(path), headers=bearer(scope))
            may = scope in needed or scope is Scope.ADMIN
            assert (answer.status_code not in (401, 403)) == may or path == "/openapi.json"


async def test_only_known_callers_receive_the_version():
    async with client(rules()) as http:
        known = await http.get("/api/v2/count", headers=bearer(Scope.SEARCH))
        assert known.headers["x-lookalike-version"] == __version__
        for path in ("/api/v2/count", "/"):
            assert "x-lookalike-version" not in (await http.get(path)).headers


@pytest.mark.parametrize("path", ["/nothing", "/api/v2/nothing", "/api/v2/train/x", "/docs"])
async def test_unknown_paths_need_a_token_too(path):
    async with client(rules()) as http:
        assert (await http.get(path)).status_code == 401
        assert (await http.get(path, headers=bearer(Scope.SEARCH))).status_code == 404


async def test_the_page_itself_can_be_loaded_to_sign_in():
    async with client(rules()) as http:
        page = await http.get("/")
        assert page.status_code == 200
        files = re.findall(r'="(static/[^"]+)"', page.text)
        assert files
        for path in files:
            assert (await http.get(f"/{path}")).status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        *("/static/../metrics", "/STATIC/x", "/static%09/x", "/%0Astatic/x", "/static%5Cx"),
        *("/api/v2/session/x", "/api/v2/session%0A", "/api/v2/session%3F", "/%0D"),
    ],
)
async def test_paths_that_resemble_the_page_need_a_token(path):
    async with client(rules()) as http:
        assert (await http.get(path)).status_code == 401


async def test_signing_in_stores_the_token_in_a_cookie_that_scripts_cannot_read():
    async with client(rules()) as http:
        assert (await http.get("/openapi.json")).status_code == 401
        answer = await http.post("/api/v2/session", json={"token": TOKENS[Scope.SEARCH]})
        assert answer.status_code == 204
        cookie = answer.headers["set-cookie"]
        assert {"HttpOnly", "SameSite=strict"} <= {part.strip() for part in cookie.split(";")}
        assert (await http.get("/openapi.json")).status_code == 200
        await http.delete("/api/v2/session")
        assert COOKIE not in http.cookies
        assert (await http.get("/openapi.json")).status_code == 401


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b'{"token": "wrong-wrong-wrong-wrong"}', 401),
        (b"{}", 422),
        (b"nonsense", 400),
        (b'{"token": "' + b"x" * 9000 + b'"}', 413),
    ],
)
async def test_a_failed_sign_in_sets_no_cookie(body, status):
    async with client(rules()) as http:
        answer = await http.post("/api/v2/session", content=body)
        assert (answer.status_code, answer.headers.get("set-cookie")) == (status, None)


@pytest.mark.parametrize(
    ("proxies", "proto", "is_secure"),
    [
        (["127.0.0.1/32"], "http", False),
        (["127.0.0.1/32"], "https", True),
        (["10.0.0.0/8"], "https", False),
    ],
)
async def test_a_cookie_from_https_is_only_sent_over_https(proxies, proto, is_secure):
    trusted = [ip_network(proxy) for proxy in proxies]
    async with client(rules(trusted_proxies=trusted)) as http:
        answer = await http.post(
            "/api/v2/session",
            json={"token": TOKENS[Scope.SEARCH]},
            headers={"X-Forwarded-Proto": proto},
        )
        assert ("Secure" in answer.headers["set-cookie"]) == is_secure


async def test_with_tokens_nobody_is_anonymous():
    async with client(rules(allow_anonymous=True)) as http:
        assert (await http.get("/openapi.json")).status_code == 401


async def test_the_rate_limit_delays_only_its_caller():
    async with client(rules(requests_per_second=1.0)) as http:
        statuses = [
            (await http.get("/openapi.json", headers=bearer(Scope.TRAIN))).status_code
            for _ in range(5)
        ]
        assert statuses.count(429) >= 2
        late = await http.get("/openapi.json", headers=bearer(Scope.TRAIN))
        assert late.headers["retry-after"]
        assert late.json()["code"] == "overloaded"
        other = await http.get("/openapi.json", headers=bearer(Scope.SEARCH))
        assert other.status_code == 200


@pytest.mark.parametrize("path", ["/api/v2/count", "/api/v1/process"])
async def test_a_caller_over_the_rate_limit_learns_when_to_come_again(path):
    async with client(rules(requests_per_second=1e-5)) as http:
        await http.get(path, headers=bearer(Scope.TRAIN))
        late = await http.get(path, headers=bearer(Scope.TRAIN))
    assert late.status_code == 429
    assert 50_000 < int(late.headers["retry-after"]) <= 100_000
    assert f"; try again in {late.headers['retry-after']} s" in late.text


async def test_the_page_forbids_foreign_code():
    async with client(rules()) as http:
        policy = (await http.get("/")).headers["content-security-policy"]
    for part in ("default-src 'none'", "script-src 'self'", "require-trusted-types-for 'script'"):
        assert part in policy
    assert "unsafe" not in policy
