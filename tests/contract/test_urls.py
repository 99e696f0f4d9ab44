"""Searching with a picture that the service fetches: off, and on for one address."""

import httpx
import pytest

from client_sdk import (
    Client,
    ImageUnreadable,
    InvalidArgument,
    TooLarge,
    UnsupportedMediaType,
    UrlUnreachable,
)
from tests.support.raw_server import RawServer


@pytest.fixture(scope="module")
def web():
    server = RawServer("127.0.0.1")
    yield server
    server.stop()


@pytest.fixture(scope="module")
def canary():
    server = RawServer("127.0.0.9")
    yield server
    server.stop()
    assert server.connections == 0


@pytest.fixture(scope="module")
def fetching(new_server, web, canary):
    server = new_server(
        LOOKALIKE_URLS="1",
        LOOKALIKE_URL_NETWORKS="127.0.0.1/32",
        LOOKALIKE_URL_PORTS=f"80,443,{web.port},{canary.port}",
        LOOKALIKE_URL_SECONDS="5",
        LOOKALIKE_MAX_UPLOAD_BYTES=str(2**20),
    ).start()
    yield server
    assert "Traceback" not in server.log.read_text()
    server.stop()


@pytest.fixture(scope="module")
def searching(fetching, photographs):
    with Client(fetching.url, timeout=60) as client:
        client.upload(sorted(photographs.iterdir())).wait()
        yield client


def test_a_picture_behind_a_url_finds_what_its_bytes_find(searching, web, photographs):
    picture = photographs / "coffee.jpg"
    web.gives("/cup", picture.read_bytes(), "Content-Type: text/plain")
    web.redirects("/moved", "/cup")

    expected = searching.search(picture, top_k=3).hits
    for path in ("cup", "moved"):
        found = searching.search(f"http://127.0.0.1:{web.port}/{path}", top_k=3)
        assert found.hits == expected
    region = searching.search(f"http://127.0.0.1:{web.port}/cup", region=(0, 0, 99, 99))
    assert region.hits[0].score < 0.9999


def test_fetched_pictures_are_checked_like_uploaded_ones(searching, web):
    here = f"http://127.0.0.1:{web.port}"
    web.gives("/text", b"hello", "Content-Type: image/png")
    web.gives("/torn", b"\xff\xd8\xff\xe0", "Content-Type: image/jpeg")
    web.gives("/huge", bytes(2**20 + 1))
    with pytest.raises(UnsupportedMediaType):
        searching.search(f"{here}/text")
    with pytest.raises(ImageUnreadable):
        searching.search(f"{here}/torn")
    with pytest.raises(TooLarge):
        searching.search(f"{here}/huge")


def test_nothing_inside_is_contacted_or_distinguishable_from_nothing(
    searching, fetching, web, canary
):
    web.redirects("/in", f"http://127.0.0.9:{canary.port}/")
    web.answers["/slow"] = lambda connection, _: web.trickle(connection, b"x")
    inside = ("127.0.0.9", "127.9", "2130706441", "0x7f000009", "0177.0.0.011", "[::ffff:7f00:9]")
    urls = [f"http://{host}:{canary.port}/" for host in inside]
    urls += [f"http://127.0.0.1:{web.port}/{path}" for path in ("in", "none", "slow")]
    urls += ["http://169.254.169.254/latest/meta-data/", "http://localhost/", "http://0/"]
    said = set()
    for url in urls:
        with pytest.raises(UrlUnreachable) as refused:
            searching.search(url)
        said.add((refused.value.status, refused.value.code, refused.value.detail))
    assert len(said) == 1
    for url in ("file:///etc/passwd", f"http://a:b@127.0.0.1:{web.port}/", "http://127.0.0.1:22/"):
        answer = httpx.post(f"{fetching.url}/api/v2/search", json={"url": url}, timeout=60)
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_argument")
        assert answer.json()["detail"].startswith("url: ")


def test_it_is_off_where_nobody_has_turned_it_on(client, web):
    before = web.connections
    with pytest.raises(InvalidArgument, match="LOOKALIKE_URLS=1"):
        client.search(f"http://127.0.0.1:{web.port}/cup")
    assert web.connections == before
