"""A real server's limits for slow, many, and malformed requests."""

import socket
import ssl
import time
from contextlib import ExitStack

import httpx
import pytest
from PIL import Image

from client_sdk import Client
from tests.contract.raw_connections import (
    PATIENCE,
    connected,
    is_alive,
    is_established,
    is_hung_up,
    post,
    problem,
    read,
)
from tests.support.waiting import wait_until

IN_FLIGHT = 3
STREAMS = 2


@pytest.fixture(scope="module")
def server(new_server):
    settings = {
        "REQUESTS_IN_FLIGHT": IN_FLIGHT,
        "EVENT_STREAMS": STREAMS,
        "HEAD_SECONDS": 2,
        "BODY_SECONDS": 4,
        "TOKENS": "all admin " + "a" * 20,
    }
    server = new_server(**{f"LOOKALIKE_{name}": str(value) for name, value in settings.items()})
    yield server.start()
    assert "Traceback" not in server.log.read_text()
    server.stop()


@pytest.fixture
def http(server):
    headers = {"Authorization": "Bearer " + "a" * 20}
    with httpx.Client(base_url=server.url, headers=headers, timeout=PATIENCE) as http:
        yield http


@pytest.fixture
def client(server):
    with Client(server.url, token="a" * 20, timeout=PATIENCE) as client:
        yield client


# Slow senders


@pytest.mark.parametrize(
    "request_",
    [
        post() + b"{",
        post(more="Expect: 100-continue\r\n"),
        post(length=None, more="Transfer-Encoding: chunked\r\n") + b"1\r\n{\r\n",
        post(more="Content-Type: multipart/form-data; boundary=x\r\n") + b"--x\r\nContent-Disp",
        post("/api/v2/collections") + b"{",
        post("/api/v2/session") + b"{",
        post(length=2**40),
    ],
    ids=["half", "none", "chunked", "form", "read by the framework", "no token", "too large"],
)
def test_half_a_body_is_refused_after_a_while(server, request_):
    with connected(server, request_) as connection:
        received = read(connection).removeprefix(b"HTTP/1.1 100 Continue\r\n\r\n")
    assert problem(received)["code"] in ("request_timeout", "too_large")


def test_a_body_that_comes_a_byte_at_a_time_is_refused_while_it_comes(server):
    with connected(server, post(length=10_000)) as connection:
        connection.settimeout(0.2)
        deadline = time.monotonic() + PATIENCE
        received = b""
        while not received and time.monotonic() < deadline:
            connection.sendall(b" ")
            try:
                received = connection.recv(1)
            except TimeoutError:
                continue
        received += read(connection)
    assert problem(received)["code"] == "request_timeout"


def test_version_1_says_so_in_one_line(server):
    with connected(server, post("/api/v1/count") + b"{") as connection:
        head, _, body = read(connection).partition(b"\r\n\r\n")
    assert head.split()[1] == b"408"
    assert b"\n" not in body


def test_a_sender_that_goes_on_after_the_answer_is_disconnected(server):
    with connected(server, post("/nothing", length=10**9)) as connection:
        wait_until(lambda: is_hung_up(connection, b" " * 1000), pause=0.1)


@pytest.mark.parametrize("sent", [b"", b"GET / HT", b"GET / HTTP/1.1\r\nHost: x\r\nX-A: "])
def test_the_head_of_a_request_is_not_waited_for_for_ever(server, sent):
    with connected(server, sent) as connection:
        received = read(connection)
    if sent:
        assert problem(received)["code"] == "request_timeout"
    else:
        assert received == b""


def test_empty_lines_do_not_keep_a_connection_open(server):
    with connected(server) as connection:
        wait_until(lambda: is_hung_up(connection, b"\r\n"), pause=0.2)


def test_a_second_request_of_a_connection_is_timed_as_the_first(server):
    with connected(server) as connection:
        assert is_alive(connection)
        connection.sendall(b"GET /livez HTTP/1.1\r\nHo")
        assert problem(read(connection))["code"] == "request_timeout"


def test_an_idle_connection_is_kept_longer_than_uvicorn_would(server):
    with connected(server) as connection:
        assert is_alive(connection)
        time.sleep(6)
        assert is_alive(connection)


# Heads and malformed requests


@pytest.mark.parametrize(
    "sent",
    [
        b"GET / HTTP/1.1\r\nX-A: " + b"a" * 2**20,
        b"GET /" + b"a" * 2**20,
        b"GET / HTTP/1.1\r\n" + b"X-A: b\r\n" * 200_000,
        post(length=None, more="Transfer-Encoding: chunked\r\n") + b"1;" + b"a" * 2**20,
    ],
    ids=["a header", "a path", "headers", "a chunk extension"],
)
def test_a_head_is_not_read_without_end(server, sent):
    with socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE) as connection:
        try:
            connection.sendall(sent)
        except ConnectionError:
            return  # hung up on, with an answer that had nowhere to go
        received = read(connection)
    assert received == b"" or problem(received)["status"] == 431


@pytest.mark.parametrize(
    "sent",
    [
        b"hello\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nA\0B: x\r\n\r\n",
        b"GET \xff\xfe HTTP/1.1\r\nHost: x\r\n\r\n",
        b"OPTIONS * HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        b"CONNECT a:1 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        bytes(range(256)),
        ssl.MemoryBIO().read() + b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ],
)
def test_a_message_that_is_not_http_is_a_problem_too(server, sent):
    with connected(server, sent) as connection:
        received = read(connection)
    assert 400 <= problem(received)["status"] < 500


def test_there_are_no_web_sockets(http):
    upgrade = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}
    answer = http.get("/nothing", headers={**upgrade, "Sec-WebSocket-Key": "eA=="})
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


# Many at once


def test_more_than_may_be_in_flight_are_asked_to_come_again(server, http):
    with ExitStack() as stack:
        held = [stack.enter_context(connected(server, post() + b"{")) for _ in range(IN_FLIGHT)]
        refused = wait_until(
            lambda: (answer := http.get("/api/v2/count")).status_code != 200 and answer
        )
        assert (refused.status_code, refused.json()["code"]) == (429, "overloaded")
        assert refused.headers["retry-after"]
        assert refused.headers["x-request-id"] == refused.json()["request_id"]
        for path in ("/livez", "/readyz", "/metrics"):
            assert http.get(path).status_code == 200
        assert [problem(read(one))["status"] for one in held] == [408] * IN_FLIGHT
    assert http.get("/api/v2/count").status_code == 200


def test_streams_of_events_hold_up_no_requests_and_have_a_limit(server, http, client):
    folder = server.images / "streams"
    folder.mkdir()
    for n in range(60):
        Image.effect_noise((48, 48), 20 + n).save(folder / f"{n:03}.png")
    job = client.train(folder)
    path = f"/api/v2/jobs/{job.id}/events"
    with ExitStack() as stack:
        streams = [stack.enter_context(http.stream("GET", path)) for _ in range(STREAMS)]
        lines = [stream.iter_lines() for stream in streams]
        assert [next(one) for one in lines] == ["event: job"] * STREAMS
        refused = http.get(path)
        assert (refused.status_code, refused.json()["code"]) == (429, "overloaded")
        assert http.get("/api/v2/count").status_code == 200
        job.cancel()
        assert all("canceled" in list(one)[-3] for one in lines)
    assert http.get(path).status_code == 200


def test_an_answer_that_nobody_reads_holds_nothing_up(server, http, client):
    large = Image.effect_noise((2600, 2600), 200)  # of several MiB as a PNG
    path = server.images / "large.png"
    large.save(path)
    client.train(path).wait(timeout=PATIENCE)
    image = next(client.images(prefix="large"))
    asked = (
        f"GET {image.content_url} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {'a' * 20}\r\n\r\n"
    )
    with connected(server, asked.encode()) as connection:
        assert connection.recv(100)
        wait_until(lambda: not is_established(server.port, connection), pause=0.2)
        assert http.get("/api/v2/count").status_code == 200
        received = len(read(connection))
    assert received < path.stat().st_size  # it was hung up on in the middle


# Routes and answers of BentoML


@pytest.mark.parametrize(
    "path",
    ["/schema.json", "/healthz", "/docs.json", "/docs", "/redoc", "/embed", "/static_content/x"],
)
def test_other_routes_of_bentoml_cannot_be_reached(server, http, path):
    asked = httpx.get(server.url + path)
    assert (asked.status_code, asked.json()["code"]) == (401, "unauthenticated")
    assert (http.get(path).status_code, http.get(path).json()["code"]) == (404, "not_found")


@pytest.mark.parametrize("path", ["/livez", "/readyz"])
def test_a_probe_in_another_way_is_a_problem(http, path):
    answer = http.post(path)
    assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")
    assert answer.json()["request_id"] == answer.headers["x-request-id"]
    assert "GET" in answer.headers["allow"]


def test_a_preflight_that_is_refused_is_a_problem(http):
    asking = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
    answer = http.options("/api/v2/search", headers=asking)
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["request_id"] == answer.headers["x-request-id"]


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "TRACE", "PROPFIND", "DELETE"])
@pytest.mark.parametrize("path", ["/%00", "/%ff%fe", "/../../etc/passwd", "/api/v2/" + "a" * 9])
def test_odd_paths_and_methods_are_problems(http, method, path):
    answer = http.request(method, path)
    assert answer.status_code in (404, 405)
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["x-request-id"]
