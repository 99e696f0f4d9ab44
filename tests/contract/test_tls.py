"""A server that speaks HTTPS by itself."""

import ssl
import subprocess

import httpx
import pytest

from tests.support.waiting import wait_until

READY_SECONDS = 180


@pytest.fixture(scope="module")
def served(new_server, tmp_path_factory):
    folder = tmp_path_factory.mktemp("tls")
    certificate, key = folder / "chain.pem", folder / "key.pem"
    command = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost"
    names = ["-addext", "subjectAltName=IP:127.0.0.1"]
    files = ["-keyout", key, "-out", certificate]
    subprocess.run([*command.split(), *names, *files], check=True, capture_output=True, timeout=120)
    server = new_server(LOOKALIKE_TLS_CERTIFICATE=str(certificate), LOOKALIKE_TLS_KEY=str(key))
    server.launch()
    server.url = f"https://127.0.0.1:{server.port}"
    return server, ssl.create_default_context(cafile=certificate)


def is_ready(server, context):
    try:
        return httpx.get(f"{server.url}/readyz", timeout=10, verify=context).status_code == 200
    except httpx.HTTPError:
        return False


def test_it_answers_over_https_and_to_nobody_without(served):
    server, context = served
    wait_until(
        lambda: is_ready(server, context),
        seconds=READY_SECONDS,
        message=lambda: server.log.read_text()[-4000:],
    )
    answer = httpx.get(f"{server.url}/api/v2/info", verify=context, timeout=60)
    assert answer.status_code == 200
    assert answer.json()["dimension"] > 0
    with pytest.raises(httpx.HTTPError):
        httpx.get(f"http://127.0.0.1:{server.port}/api/v2/info", timeout=60)
    with pytest.raises(httpx.ConnectError):  # whoever does not trust the certificate asks nothing
        httpx.get(f"{server.url}/api/v2/info", timeout=60)
