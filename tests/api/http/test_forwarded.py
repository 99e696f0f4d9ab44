"""Local requests and the headers of proxies, with the real routes."""

import logging
import re
from contextlib import asynccontextmanager
from functools import cache
from ipaddress import ip_network

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import Response

from bento_service.api.app import http_surface
from bento_service.api.http.forwarded import public_url
from bento_service.settings import Settings

TOKEN = "x" * 24
COUNT = "/openapi.json"  # as guarded as `/api/v2/count`, and answered without an application
pytestmark = pytest.mark.anyio


@asynccontextmanager
async def _nothing():
    yield None


@cache
def surface(rules):
    return http_surface(_nothing, rules)


def client(rules, *, peer="127.0.0.1", **changes):
    async def connected(scope, receive, send):
        await surface(rules)({**scope, **changes}, receive, send)

    transport = httpx.ASGITransport(connected, raise_app_exceptions=False, client=(peer, 4711))
    return httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8001")


@cache
def without_tokens(**given):
    return Settings(**given)


@cache
def with_tokens(*trusted):
    return Settings(tokens=f"ci search {TOKEN}", trusted_proxies=proxies(*trusted))


def proxies(*networks):
    return tuple(map(ip_network, networks))


async def _status(rules, sent=None, **connection):
    async with client(rules, **connection) as http:
        return (await http.get(COUNT, headers=sent or {})).status_code


FORWARDING = (
    *(
        "Forwarded",
        "X-Forwarded-For",
        "X-Forwarded-Host",
        "X-Forwarded-Proto",
    ),
    *(
        "X-Forwarded-Port",
        "X-Forwarded-Prefix",
        "X-Forwarded-Server",
        "X-Forwarded-By",
    ),
    *(
        "X-Forwarded-Ssl",
        "X-Forwarded-Anything",
        "X-Forwarded",
        "X_Forwarded_For",
    ),
    *(
        "Forwarded-For",
        "X-Original-Forwarded-For",
        "X-Original-Host",
        "X-Original-URI",
    ),
    *(
        "Via",
        "CDN-Loop",
        "X-Real-IP",
        "X-Client-IP",
    ),
    *(
        "Client-IP",
        "X-Cluster-Client-IP",
        "True-Client-IP",
        "Proxy-Client-IP",
    ),
    *(
        "WL-Proxy-Client-IP",
        "CF-Connecting-IP",
        "CF-Connecting-IPv6",
        "CF-Ray",
    ),
    *(
        "CF-Visitor",
        "Fastly-Client-IP",
        "Fly-Client-IP",
        "X-Azure-ClientIP",
    ),
    *(
        "X-Azure-SocketIP",
        "X-Envoy-External-Address",
        "X-Appengine-User-IP",
        "X-Amz-Cf-Id",
    ),
    *(
        "X-Originating-IP",
        "X-Remote-IP",
        "X-Remote-Addr",
        "X-Nf-Client-Connection-IP",
    ),
    *(
        "X-ARR-LOG-ID",
        "Front-End-Https",
        "X-Varnish",
        "Surrogate-Capability",
    ),
    *(
        "X-Scheme",
        "X-Host",
        "Tailscale-User-Login",
        "DO-Connecting-IP",
    ),
)


@pytest.mark.parametrize("name", FORWARDING)
async def test_without_tokens_a_forwarded_request_is_refused(name):
    headers = {name: "203.0.113.9"}
    async with client(without_tokens()) as http:
        for method, path in (("GET", "/api/v2/count"), ("POST", "/api/v2/delete")):
            refused = await http.request(method, path, headers=headers)
            assert (refused.status_code, refused.json()["code"]) == (401, "unauthenticated")
            for text in (name.lower(), "LOOKALIKE_TOKENS", "LOOKALIKE_ALLOW_ANONYMOUS=1"):
                assert text in refused.json()["detail"]
    assert await _status(without_tokens(), {name: ""}) == 401
    trusting = without_tokens(trusted_proxies=proxies("127.0.0.0/8"))
    assert await _status(trusting, headers) == 401
    assert await _status(without_tokens(allow_anonymous=True), headers) == 200
    assert await _status(with_tokens(), {**headers, "Authorization": f"Bearer {TOKEN}"}) == 200


@pytest.mark.parametrize(
    "name",
    [
        *("User-Agent", "Accept", "Origin", "Referer", "Cookie", "X-Request-ID", "Idempotency-Key"),
        *("Sec-Fetch-Site", "X-Requested-With", "DNT", "Upgrade-Insecure-Requests", "Traceparent"),
        *("X-HTTP-Method-Override", "If-None-Match", "Range", "TE", "Pragma", "Proxy-Connection"),
    ],
)
async def test_headers_of_local_programs_are_no_sign_of_a_proxy(name):
    assert await _status(without_tokens(), {name: "127.0.0.1"}) == 200


@pytest.mark.parametrize(
    ("host", "status"),
    [
        *((name, 200) for name in ("localhost", "LocalHost:8001", "localhost.", "a.b.localhost:1")),
        *((name, 200) for name in ("127.0.0.1", "127.0.0.1:80", "127.8.9.10:8001")),
        *((name, 200) for name in ("[::1]", "[::1]:8001", "[0:0:0:0:0:0:0:1]")),
        *((name, 200) for name in ("[::ffff:127.0.0.1]:8001",)),
        *((name, 401) for name in ("gallery.example", "gallery.example:8001", "192.0.2.7", "")),
        *((name, 401) for name in ("localhost.evil.example", "evillocalhost", "127.0.0.1.nip.io")),
        *((name, 401) for name in ("0.0.0.0:8001", "[::]", "[::]:8001", "[fe80::1]")),
        *((name, 401) for name in ("127.1", "2130706433", "0x7f.1", "evil@127.0.0.1", "a/127.1")),
        *((name, 401) for name in ("localhost:evil", "localhost:1:2", "localhost, evil.example")),
        *((name, 401) for name in ("[::1", "::1]", "[::2]", "[192.0.2.7]", "localhost..", ".")),
    ],
)
@pytest.mark.parametrize("agent", ["Mozilla/5.0", "curl/8"])
async def test_without_tokens_only_a_name_of_this_machine_is_answered(host, status, agent):
    headers = {"Host": host, "User-Agent": agent}
    assert await _status(without_tokens(), headers) == status
    assert await _status(without_tokens(allow_anonymous=True), headers) == 200


async def test_without_tokens_two_hosts_or_none_are_refused():
    for headers in ([], [(b"host", b"localhost"), (b"host", b"evil.example")]):
        assert await _status(without_tokens(), headers=headers) == 401


@pytest.mark.parametrize(
    ("peer", "status"),
    [
        *((peer, 200) for peer in ("127.0.0.1", "127.0.0.9", "::1", "::ffff:127.0.0.1")),
        *((peer, 401) for peer in ("192.0.2.7", "::ffff:192.0.2.7", "10.0.0.1", "2001:db8::1")),
    ],
)
async def test_without_tokens_only_connections_from_this_machine_are_answered(peer, status):
    assert await _status(without_tokens(), peer=peer) == status
    assert await _status(without_tokens(allow_anonymous=True), peer=peer) == 200


async def test_a_proxy_without_headers_is_recognised_by_http_1_0():
    assert await _status(without_tokens(), http_version="1.0") == 401
    assert await _status(without_tokens(), client=None) == 401


async def test_headers_that_uvicorn_applies_make_no_request_local():
    connection = {"lookalike_connection": (("192.0.2.7", 4711), "http")}
    assert await _status(without_tokens(), peer="127.0.0.1", **connection) == 401


@pytest.mark.parametrize(
    ("trusted", "peer", "forwarded_for", "expected"),
    [
        ((), "127.0.0.1", "203.0.113.9", "127.0.0.1"),
        (("10.0.0.0/8",), "127.0.0.1", "203.0.113.9", "127.0.0.1"),
        (("127.0.0.1/32",), "127.0.0.1", "203.0.113.9", "203.0.113.9"),
        (("127.0.0.1/32",), "::ffff:127.0.0.1", "203.0.113.9", "203.0.113.9"),
        (("127.0.0.1/32",), "127.0.0.1", "1.1.1.1, 203.0.113.9", "203.0.113.9"),
        (("127.0.0.1/32",), "127.0.0.1", "203.0.113.9, 10.1.2.3", "10.1.2.3"),
        (("127.0.0.1/32", "10.0.0.0/8"), "127.0.0.1", "203.0.113.9, 10.1.2.3", "203.0.113.9"),
        (("127.0.0.1/32", "10.0.0.0/8"), "127.0.0.1", "10.9.9.9, 10.1.2.3", "10.9.9.9"),
        (("127.0.0.1/32",), "127.0.0.1", "203.0.113.9:4711", "203.0.113.9"),
        (("127.0.0.1/32",), "127.0.0.1", "[2001:db8::9]:4711", "2001:db8::9"),
        (("::1/128",), "::1", "2001:db8::9", "2001:db8::9"),
        (("127.0.0.1/32",), "127.0.0.1", "unknown", "127.0.0.1"),
        (("127.0.0.1/32",), "127.0.0.1", "evil from=1.1.1.1", "127.0.0.1"),
        (("127.0.0.1/32",), "127.0.0.1", "", "127.0.0.1"),
    ],
)
async def test_only_trusted_proxies_name_the_caller(trusted, peer, forwarded_for, expected, caplog):
    caplog.set_level(logging.INFO, "bento_service.audit")
    async with client(with_tokens(*trusted), peer=peer) as http:
        await http.get(COUNT, headers={"X-Forwarded-For": forwarded_for})
    (line,) = caplog.messages
    assert re.search(r"from=(\S+)", line)[1].removeprefix("::ffff:") == expected


async def test_callers_behind_a_trusted_proxy_have_separate_rate_limits():
    rules = without_tokens(
        allow_anonymous=True, requests_per_second=1.0, trusted_proxies=proxies("127.0.0.1/32")
    )
    async with client(rules) as http:
        statuses = [
            (await http.get(COUNT, headers={"X-Forwarded-For": f"203.0.113.{number}"})).status_code
            for number in range(5)
        ]
        assert statuses == [200] * 5
        again = {"X-Forwarded-For": "203.0.113.1"}
        statuses = [(await http.get(COUNT, headers=again)).status_code for _ in range(5)]
        assert statuses.count(429) >= 2


@pytest.mark.parametrize(
    ("prefix", "location"),
    [
        ("", "/x"),
        ("/gallery", "/gallery/x"),
        ("/gallery/", "/gallery/x"),
        ("/a/b, /inner", "/a/b/x"),
        ("//evil.example", "/x"),
        ("https://evil.example", "/x"),
        ("/a b", "/x"),
        ("/", "/x"),
    ],
)
async def test_a_location_has_the_path_prefix_of_a_trusted_proxy(prefix, location):
    sent = {"X-Forwarded-Prefix": prefix} if prefix else {}
    assert (await _start(sent, "127.0.0.1/32")).headers["location"] == location
    assert (await _start(sent, "10.0.0.0/8")).headers["location"] == "/x"
    assert (await _start(sent)).headers["location"] == "/x"


@pytest.mark.parametrize(
    ("headers", "url"),
    [
        ({"X-Forwarded-Proto": "https"}, "https://here.example"),
        ({"X-Forwarded-Host": "a.example"}, "http://a.example"),
        ({"X-Forwarded-Host": "a.example", "X-Forwarded-Port": "81"}, "http://a.example:81"),
        ({"X-Forwarded-Prefix": "/gallery"}, "http://here.example/gallery"),
    ],
)
async def test_only_a_trusted_proxy_names_the_public_url(headers, url):
    sent = {**headers, "Host": "here.example"}
    assert (await _start(sent, "127.0.0.1/32")).text == url
    assert (await _start(sent, "192.0.2.0/24")).text == "http://here.example"
    assert (await _start(sent)).text == "http://here.example"


async def _start(headers, *trusted):
    """Answer a request through these trusted proxies with its public URL and a `Location`."""
    rules = without_tokens(allow_anonymous=True, trusted_proxies=proxies(*trusted))
    app = http_surface(_nothing, rules)

    @app.get("/start")
    def start(request: Request):
        return Response(public_url(request), status_code=202, headers={"Location": "/x"})

    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as http:
        return await http.get("/start", headers=headers)
