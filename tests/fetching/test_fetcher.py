"""Pictures that the service fetches, and addresses that it never contacts."""

import asyncio
import socket
import ssl
import subprocess

import pytest

from bento_service.errors import (
    Forbidden,
    InvalidArgument,
)
from bento_service.fetching.fetcher import MAX_REDIRECTS, Fetcher
from bento_service.settings import Settings
from tests.fetching.fetching import Names, fetched, fetcher, refusal

pytestmark = pytest.mark.anyio
PICTURE = b"\x89PNG" + bytes(300_000)


# Fetched pictures


async def test_a_picture_comes_as_it_is_and_the_server_learns_little(web):
    web.gives("/cat.png?x=1", PICTURE, "Content-Type: text/html")
    url = f"http://pictures.example:{web.port}/cat.png?x=1#top"
    assert await fetched(fetcher(web), url) == PICTURE
    (head,) = web.heads
    lines = head.decode().lower().split("\r\n")
    assert f"host: pictures.example:{web.port}" in lines
    assert "accept-encoding: identity" in lines
    names = {line.partition(":")[0] for line in lines[1:] if line}
    assert names <= {"host", "accept", "accept-encoding", "user-agent", "connection"}


async def test_redirects_are_followed_to_the_picture(web):
    web.redirects("/a", "/b", 301)
    web.redirects("/b", f"http://pictures.example:{web.port}/c", 307)
    web.redirects("/c", "d", 308)
    web.gives("/d", PICTURE)
    assert await fetched(fetcher(web), f"http://127.0.0.1:{web.port}/a") == PICTURE


async def test_redirects_have_an_end(web):
    web.redirects("/a", "/a")
    await refusal(fetcher(web), f"http://pictures.example:{web.port}/a")
    assert len(web.heads) == MAX_REDIRECTS + 1


@pytest.fixture
def certified(tmp_path):
    """Files of a certificate for one name, and of its key."""
    certificate, key = tmp_path / "chain.pem", tmp_path / "key.pem"
    command = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=pictures.example"
    names = ["-addext", "subjectAltName=DNS:pictures.example"]
    files = ["-keyout", key, "-out", certificate]
    subprocess.run([*command.split(), *names, *files], check=True, capture_output=True, timeout=120)
    return certificate, key


async def test_over_tls_the_certificate_has_to_be_of_the_name(web, certified):
    certificate, key = certified
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(certificate, key)
    said = []
    serving.sni_callback = lambda _, name, __: said.append(name)

    async def answer(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\ncat")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=serving)
    port = server.sockets[0].getsockname()[1]
    trusted = ssl.create_default_context(cafile=certificate)
    names = Names(pictures=[["127.0.0.1"]], other=[["127.0.0.1"]])
    asking = fetcher(web, url_ports=[port], names=names, trusted=trusted)
    async with server:
        assert await fetched(asking, f"https://pictures.example:{port}/") == b"cat"
        assert said == ["pictures.example"]
        await refusal(asking, f"https://other.example:{port}/")
        await refusal(fetcher(web, url_ports=[port]), f"https://pictures.example:{port}/")


# Refused addresses


@pytest.mark.parametrize(
    "url",
    [
        "",
        "cat.png",
        "//pictures.example/",
        "file:///etc/passwd",
        "ftp://pictures.example/",
        "gopher://pictures.example:80/_x",
        "data:image/png;base64,aaaa",
        "unix:///run/docker.sock",
        "http://",
        "http:///cat.png",
        "http://user@pictures.example/",
        "http://user:password@pictures.example/",
        "http://:password@pictures.example/",
        "http://pictures.example:22/",
        "http://pictures.example:0/",
        "http://pictures.example:99999/",
        "http://pictures.example:x/",
        "http://pictures.example/\r\nX-A: b",
        "http://pictures.example /",
        "http://pictures.example\\@inside.example/",
        "http://[::1/",
        "http://[::1]x/",
        "http://\0/",
    ],
)
async def test_some_urls_are_wrong_by_themselves(url):
    names = Names()
    asking = Fetcher(Settings(), resolve=names)
    with pytest.raises(InvalidArgument, match=r"^url: "):
        await fetched(asking, url)
    assert names.asked == []


async def test_only_hosts_that_are_allowed_are_asked(web, canary):
    asking = fetcher(web, canary, url_hosts=("pictures.example", ".shop.example"))
    web.gives("/", b"cat")
    assert await fetched(asking, f"http://Pictures.Example:{web.port}/") == b"cat"
    for host in ("inside.example", "shop.example", "xpictures.example", "127.0.0.9", "127.0.0.1"):
        with pytest.raises(Forbidden, match="LOOKALIKE_URL_HOSTS"):
            await fetched(asking, f"http://{host}:{canary.port}/")
    web.redirects("/out", f"http://inside.example:{canary.port}/")
    await refusal(asking, f"http://pictures.example:{web.port}/out")


HIDDEN = [
    "inside.example",
    "127.0.0.9",
    "127.9",
    "2130706441",
    "0x7f000009",
    "0x7f.0.0.9",
    "0177.0.0.011",
    "017700000011",
    "127.0.0.9.",
    "①②⑦.⓪.⓪.⑨",
    "[::ffff:127.0.0.9]",
    "[::ffff:7f00:9]",
    "[0:0:0:0:0:ffff:127.0.0.9]",
    "[::127.0.0.9]",
    "[64:ff9b::7f00:9]",
    "[2002:7f00:9::]",
    "[::1]",
    "[::]",
    "0.0.0.0",  # noqa: S104
    "0",
    "localhost",
    "[fe80::1%25lo]",
]


@pytest.mark.parametrize("host", HIDDEN)
@pytest.mark.parametrize("way", ["asked", "redirected"])
async def test_an_address_that_is_not_public_is_never_contacted(web, canary, host, way):
    asking = fetcher(web, canary)
    system = fetcher(web, canary)
    system._resolve = Fetcher(Settings())._resolve  # the system's own, which knows them all
    url = f"http://{host}:{canary.port}/"
    if way == "redirected":
        web.redirects("/out", url)
        url = f"http://127.0.0.1:{web.port}/out"
    for one in (asking, system):
        await refusal(one, url)


async def test_one_bad_address_spoils_a_name(web, canary):
    web.gives("/", b"cat")
    names = Names(both=[["127.0.0.1", "127.0.0.9"]], turned=[["127.0.0.9", "127.0.0.1"]], none=[[]])
    for name in ("both", "turned", "none"):
        url = f"http://{name}.example:{canary.port}/"
        await refusal(fetcher(web, canary, names=names), url)
    assert web.connections == 0


async def test_an_answer_that_changes_after_the_check_changes_nothing(web, canary):
    web.gives("/", b"cat")
    web.redirects("/again", "/")
    names = Names(changing=[["127.0.0.1"], ["127.0.0.9"]])
    url = f"http://changing.example:{web.port}/"
    assert await fetched(fetcher(web, names=names), url) == b"cat"
    assert names.asked == ["changing.example"]  # what was checked is what was connected to

    names = Names(changing=[["127.0.0.1"], ["127.0.0.9"]])
    await refusal(fetcher(web, names=names), f"{url}again")
    assert names.asked == ["changing.example"] * 2


async def test_every_failure_gives_the_caller_the_same_message(web, canary):
    web.gives("/gone", b"", status="404 Not Found")
    web.gives("/part", b"half", "Content-Length: 100")
    web.answers["/noise"] = lambda connection, _: connection.sendall(b"no HTTP\r\n\r\n")
    web.answers["/nothing"] = lambda connection, _: None
    web.redirects("/file", "file:///etc/passwd")
    web.redirects("/login", f"http://a:b@pictures.example:{web.port}/")
    web.redirects("/port", "http://pictures.example:22/")
    web.redirects("/in", f"http://127.0.0.9:{canary.port}/")
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    asking = fetcher(web, canary, url_ports=[web.port, canary.port, port], url_seconds=4.0)
    here = f"http://127.0.0.1:{web.port}"
    places = ("gone", "part", "noise", "nothing", "file", "login", "port", "in")
    said = {await refusal(asking, f"{here}/{path}") for path in places}
    others = (
        f"http://127.0.0.9:{canary.port}/",
        f"http://unknown.example:{web.port}/",
        f"http://127.0.0.1:{port}/",
        f"https://127.0.0.1:{web.port}/",
    )
    said |= {await refusal(asking, url) for url in others}
    assert len(said) == 1
    message = said.pop()
    assert not any(word in message for word in ("127", "refused", "unknown", "404"))
