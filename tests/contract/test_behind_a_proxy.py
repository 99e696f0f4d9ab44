"""A real nginx in front of real services, with the configuration that docs/access.md shows."""

import re
import ssl
import subprocess
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.support.waiting import WAIT_SECONDS, wait_until

DOCUMENT = Path(__file__).parents[2] / "docs" / "access.md"
NGINX = Path("/usr/sbin/nginx")
TOKEN = "t" * 32
BEARER = {"Authorization": f"Bearer {TOKEN}"}
MAIN = """
daemon off;
master_process off;
pid nginx.pid;
events {{}}
http {{
    access_log off;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
{server}
}}
"""


@pytest.fixture(scope="module")
def nginx():
    if not NGINX.exists():
        pytest.skip(f"there is no {NGINX}; install it with: apt-get install nginx-light")
    return NGINX


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    folder = tmp_path_factory.mktemp("certificate")
    command = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=gallery.example"
    names = ["-addext", "subjectAltName=IP:127.0.0.1"]
    files = ["-keyout", folder / "key.pem", "-out", folder / "chain.pem"]
    subprocess.run([*command.split(), *names, *files], check=True, capture_output=True)
    return folder


@pytest.fixture(scope="module")
def guarded(new_server):
    """Return a service as the document says: tokens, and its proxy by name."""
    return new_server(
        LOOKALIKE_TOKENS=f"ci admin {TOKEN}", LOOKALIKE_TRUSTED_PROXIES="127.0.0.1"
    ).start()


@pytest.fixture
def proxied(nginx, certificate, tmp_path, free_port):
    """Return a function that opens clients of an nginx in front of a service."""

    @contextmanager
    def opened(service, config, **options):
        changes = {
            "listen 443 ssl": f"listen 127.0.0.1:{free_port} ssl",
            "/etc/ssl/gallery.pem": str(certificate / "chain.pem"),
            "/etc/ssl/gallery.key": str(certificate / "key.pem"),
            "http://127.0.0.1:8001": service.url,
        }
        for old, new in changes.items():
            assert config.count(old) == 1, f"{old} in {config}"
            config = config.replace(old, new)
        (tmp_path / "nginx.conf").write_text(MAIN.format(server=config))
        command = [nginx, "-p", tmp_path, "-c", tmp_path / "nginx.conf", "-e", tmp_path / "log"]
        trusted = ssl.create_default_context(cafile=certificate / "chain.pem")
        url, host = f"https://127.0.0.1:{free_port}", {"Host": f"gallery.example:{free_port}"}
        process = subprocess.Popen(command)
        try:
            transport = httpx.HTTPTransport(verify=trusted, local_address="127.0.0.9")
            with httpx.Client(base_url=url, headers=host, timeout=60, transport=transport) as http:
                wait_until(lambda: _answers(http, process), message=(tmp_path / "log").read_text)
                yield http
        finally:
            process.terminate()
            process.wait(WAIT_SECONDS)

    return opened


def _answers(http, process):
    assert process.poll() is None
    try:
        return http.get("/livez")
    except httpx.ConnectError:
        return None


def documented(*, prefix=""):
    """Return the documented configuration, at the root or below its path prefix."""
    root, below = re.findall(r"```nginx\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    if not prefix:
        return root
    assert f"X-Forwarded-Prefix {prefix};" in below
    return re.sub(r"    location / \{.*?\n    \}\n", lambda _: below, root, flags=re.DOTALL)


PREFIXES = pytest.mark.parametrize("prefix", ["", "/gallery"])


@PREFIXES
def test_without_tokens_strangers_behind_a_proxy_are_refused(proxied, server, prefix):
    silent = re.sub(r" +proxy_set_header .*\n", "", documented(prefix=prefix))
    assert "proxy_set_header" not in silent
    for config in (documented(prefix=prefix), silent):
        with proxied(server, config) as http:
            count = http.get(f"{prefix}/api/v2/count")
            deletion = http.post(f"{prefix}/api/v2/delete", json={"all": True})
        assert (count.status_code, deletion.status_code) == (401, 401)
        assert "LOOKALIKE_TOKENS" in deletion.json()["detail"]


@PREFIXES
def test_with_tokens_a_proxy_lets_in_who_has_one(proxied, guarded, prefix):
    with proxied(guarded, documented(prefix=prefix)) as http:
        asked = {"headers": BEARER}, {}
        counts = [http.get(f"{prefix}/api/v2/count", **sent) for sent in asked]
        deletions = [
            http.post(f"{prefix}/api/v2/delete", json={"all": True}, **sent) for sent in asked
        ]
    assert [answer.status_code for answer in counts] == [200, 401]
    assert [answer.status_code for answer in deletions] == [200, 401]
    line = r"audit caller=- from=(\S+) POST /api/v2/delete 401"
    assert set(re.findall(line, guarded.log.read_text())) == {"127.0.0.9"}


@PREFIXES
def test_urls_are_right_behind_a_proxy(proxied, guarded, photographs, prefix):
    picture = photographs / "coins.jpg"
    with proxied(guarded, documented(prefix=prefix)) as http:
        public = f"https://{http.headers['Host']}{prefix}/"
        http.headers.update(BEARER)
        sent = {"files": ("coins.jpg", picture.read_bytes())}
        accepted = http.post(f"{prefix}/api/v2/train", files=sent)
        location = accepted.headers["location"]
        assert location == f"{prefix}/api/v2/jobs/{accepted.json()['id']}"
        wait_until(lambda: http.get(location).json()["state"] == "completed")
        found = http.post(f"{prefix}/api/v1/search", files={"file": picture.read_bytes()})
        url = found.json()[0][0]
        assert url.startswith(f"{public}data/")
        assert http.get(url.removeprefix(public.removesuffix(f"{prefix}/"))).status_code == 200


@PREFIXES
def test_the_page_signs_in_behind_a_proxy(proxied, guarded, prefix):
    with proxied(guarded, documented(prefix=prefix)) as http:
        origin = f"https://{http.headers['Host']}"
        call = f"{prefix}/api/v2/session"
        signed = http.post(call, json={"token": TOKEN}, headers={"Origin": origin})
        foreign = http.post(call, json={"token": TOKEN}, headers={"Origin": "https://evil.example"})
    assert signed.status_code == 204
    assert "Secure" in signed.headers["set-cookie"]
    assert foreign.status_code == 403


@pytest.mark.parametrize(
    ("headers", "origin"),
    [
        ({"X-Forwarded-Proto": "https", "X-Forwarded-Host": "a.example"}, "https://a.example"),
        (
            {
                "X-Forwarded-Proto": "https, http",
                "X-Forwarded-Host": "a.example, inner",
                "X-Forwarded-Prefix": "/look/",
            },
            "https://a.example/look",
        ),
        ({"X-Forwarded-Host": "a.example", "X-Forwarded-Port": "8443"}, "http://a.example:8443"),
        ({"X-Forwarded-Host": "[::1]", "X-Forwarded-Port": "8443"}, "http://[::1]:8443"),
        ({"X-Forwarded-Proto": "javascript", "Host": "b.example"}, "http://b.example"),
        ({"X-Forwarded-Host": "a.example/x?", "Host": "b.example"}, "http://b.example"),
        ({"X-Forwarded-Prefix": "//evil", "Host": "b.example"}, "http://b.example"),
        ({"Host": "b.example:81"}, "http://b.example:81"),
    ],
)
def test_urls_of_version_1_are_the_ones_that_the_caller_can_reach(
    guarded, photographs, headers, origin
):
    with httpx.Client(base_url=guarded.url, timeout=60, headers=BEARER) as http:
        picture = {"file": (photographs / "coins.jpg").read_bytes()}
        if http.get("/api/v2/count").json()["count"] == 0:
            http.post("/api/v2/train", files={"files": ("coins.jpg", picture["file"])})
        pairs = wait_until(
            lambda: http.post("/api/v1/search", files=picture, headers=headers).json()
        )
    assert pairs[0][0].startswith(f"{origin}/data/")


def test_a_stranger_does_not_choose_the_address_of_the_audit_log(server):
    forged = {"X-Forwarded-For": "203.0.113.77", "X-Forwarded-Proto": "https"}
    refused = httpx.post(f"{server.url}/api/v2/delete", json={"all": True}, headers=forged)
    request_id = refused.json()["request_id"]
    (line,) = [line for line in server.log.read_text().splitlines() if request_id in line]
    assert "from=127.0.0.1 POST /api/v2/delete 401" in line
