"""The embedder as a deployment of its own: what strangers send it, and an embedder that differs.

The pickles that are posted run a command that makes a file. That they would is seen on the same
small services without what guards them.
"""

import json
import os
import pickle
import re
import socket
import subprocess
import sys
import textwrap
from pathlib import Path

import httpx
import pytest

from bento_service.descriptors.describing import INGEST_ROUTE, QUERY_ROUTE
from client_sdk import Client, NotReady
from tests.support.waiting import wait_until

START = [sys.executable, "-m", "bentoml_cli._internal.start", "start-http-server"]
PICKLE = "application/vnd.bentoml+pickle"
SERDES = {
    "application/json": "JSONSerde",
    PICKLE: "PickleSerde",
    "multipart/form-data": "MultipartSerde",
    "application/x-www-form-urlencoded": "MultipartSerde",
}
OTHER_TYPES = (
    "application/vnd.lookalike.array",
    "application/octet-stream",
    "application/x-pickle",
    "application/vnd.bentoml+pickle; charset=x",
    "APPLICATION/VND.BENTOML+PICKLE",
    "",
)
EMBEDDER_ROUTES = (
    *(QUERY_ROUTE, INGEST_ROUTE, f"{QUERY_ROUTE}/submit", "/embed", "/", "/livez", "/readyz"),
    *("/healthz", "/metrics", "/schema.json", "/docs.json", "/__bentoml__", "/static_content/x"),
)
SERVICE_ROUTES = (
    *("search", "train", "process", "count", "delete", "compare", "duplicates", "images", "known"),
    *("collections", "jobs", "reindex", "info", "images/1", "jobs/1/cancel"),
)


class MakesFile:
    """A pickle of it makes a file where it is loaded."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mknod, (str(self.path),)


def start_embedder(server, service="bento_service.service:ImageSearch", name="vgg16-embedder"):
    address = ["--host", "127.0.0.1", "--port", str(server.port)]
    server.command = [*START, service, "--service-name", name, *address]
    return server.start()


def start_service(server, embedder):
    address = ["--host", "127.0.0.1", "--port", str(server.port)]
    depends = ["--depends", f"vgg16-embedder={embedder.url}"]
    service = "bento_service.service:ImageSearch"
    server.command = [*START, service, "--service-name", "lookalike", *depends, *address]
    return server


@pytest.fixture(scope="module")
def apart(new_server):
    """Return a running embedder and a running service, each a deployment of its own."""
    embedder = start_embedder(new_server())
    return embedder, start_service(new_server(), embedder).start()


def posts(path):
    """Bodies with their headers: a pickle as it is, with BentoML's buffers, and inside of forms."""
    loaded = pickle.dumps(MakesFile(path))
    text = f'{{"images": "{loaded.hex()}"}}'.encode()
    for media_type in (*SERDES, *OTHER_TYPES):
        array = {"array-type": "uint8", "array-shape": "1,224,224,3"}
        yield loaded, {"content-type": media_type, **array}
        yield loaded, {"content-type": media_type, "buffer-lengths": str(len(loaded))}
        yield text, {"content-type": media_type}
        for field in ("images", "file", "files"):
            yield _form(field, media_type, loaded)


def _form(field, media_type, content):
    part = f'--b\r\nContent-Disposition: form-data; name="{field}"; filename="a.jpg"\r\n'
    head = f"{part}Content-Type: {media_type or 'text/plain'}\r\n\r\n".encode()
    return head + content + b"\r\n--b--\r\n", {"content-type": "multipart/form-data; boundary=b"}


def post_everything(http, routes, path):
    """Post every body to every route; the statuses of the answers."""
    statuses = set()
    for route in routes:
        for body, headers in posts(path):
            statuses.add(http.post(route, content=body, headers=headers).status_code)
            assert not path.exists(), (route, headers)
    return statuses


def test_a_pickle_that_is_posted_runs_where_bentoml_is_left_alone(new_server, tmp_path):
    """If this fails, BentoML no longer unpickles, or no longer reads such pickles."""
    path = tmp_path / "made"
    server = new_server(ECHO_UNPICKLES="1")
    start_embedder(server, "tests.process.echo_service:Echo", "echo-embedder")

    httpx.post(
        f"{server.url}{QUERY_ROUTE}",
        content=pickle.dumps(MakesFile(path)),
        headers={"content-type": PICKLE},
    )

    assert path.exists()
    server.stop()


def test_the_embedder_unpickles_nothing_on_any_route_under_any_content_type(apart, tmp_path):
    with httpx.Client(base_url=apart[0].url, timeout=60) as http:
        statuses = post_everything(http, EMBEDDER_ROUTES, tmp_path / "made")

    assert statuses == {400, 404}


def test_the_service_unpickles_nothing_on_any_route_under_any_content_type(apart, tmp_path):
    routes = [f"/api/v2/{name}" for name in SERVICE_ROUTES]
    routes += ["/api/v1/search", "/api/v1/train", "/livez", "/readyz", QUERY_ROUTE, "/"]

    with httpx.Client(base_url=apart[1].url, timeout=60) as http:
        statuses = post_everything(http, routes, tmp_path / "made")

    assert all(200 <= status < 500 for status in statuses), statuses


def test_the_embedder_behind_a_socket_unpickles_nothing(server, tmp_path):
    (path,) = Path(server.environment["TMPDIR"]).glob("bentoml-uds-*/*.sock")

    transport = httpx.HTTPTransport(uds=str(path))
    with httpx.Client(transport=transport, base_url="http://embedder", timeout=60) as http:
        statuses = post_everything(http, EMBEDDER_ROUTES, tmp_path / "made")

    assert statuses == {400, 404}


def test_the_serialisations_that_bentoml_has_are_those_that_were_read():
    """If this fails, BentoML has changed: read what it does with bodies before going on."""
    found = _in_bentoml("""
        import hashlib, inspect
        from _bentoml_impl.server.app import ServiceAppFactory
        chooses = inspect.getsource(ServiceAppFactory.api_endpoint).encode()
        answer = [hashlib.sha256(chooses).hexdigest()[:16], names(serde.ALL_SERDE)]
    """)

    assert found == ["e7721288fa866de6", SERDES]


def test_in_our_processes_bentoml_has_no_serialisation_but_arrays(models):
    found = _in_bentoml("""
        import bento_service.service
        answer = names(serde.ALL_SERDE)
    """)

    assert found == dict.fromkeys([*SERDES, "application/vnd.lookalike.array"], "ArraySerde")


def _in_bentoml(code):
    """Return what a new process finds in BentoML; importing it here would warn."""
    before = """
        import json
        from _bentoml_impl import serde
        def names(registry): return {name: kind.__name__ for name, kind in registry.items()}
    """
    lines = map(textwrap.dedent, (before, code, "print(json.dumps(answer))"))
    command = [sys.executable, "-W", "ignore", "-c", "".join(lines)]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def test_bodies_over_the_limit_are_refused_before_they_are_sent(apart):
    heads = [
        {"array-shape": "65,224,224,3", "content-length": str(65 * 150_528)},
        {"array-shape": "1,224,224,3", "content-length": str(10**12)},
        {"array-shape": "1,224,224,3", "transfer-encoding": "chunked"},
    ]
    for head in heads:
        lines = {"host": "x", "content-type": "application/vnd.lookalike.array"} | head
        lines["array-type"] = "uint8"
        text = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        with socket.create_connection(("127.0.0.1", apart[0].port), timeout=30) as connection:
            connection.sendall(f"POST {QUERY_ROUTE} HTTP/1.1\r\n{text}\r\n".encode())
            assert connection.recv(100).startswith(b"HTTP/1.1 400 ")


def test_an_embedder_of_another_precision_is_refused_by_name_until_it_is_replaced(
    new_server, photographs
):
    embedder = start_embedder(new_server(LOOKALIKE_PRECISION="fp32"))
    service = start_service(new_server(LOOKALIKE_PRECISION="int8"), embedder)
    service.launch()
    named = re.compile(
        r"the embedder at 127\.0\.0\.1 computes vgg16-rmac4 in fp32 \(\w{12}\), .*but this "
        r"service vgg16-rmac4 in int8 \(\w{12}\)"
    )
    wait_until(lambda: named.search(service.log.read_text()))  # before anybody has asked
    picture = photographs / "coins.jpg"
    with Client(service.url, timeout=120, retries=0) as client:
        assert not service.is_ready()
        with pytest.raises(NotReady, match=named.pattern):
            client.search(picture)
        job = client.upload([picture])
        wait_until(lambda: "ingest waits for the embedder" in service.log.read_text())
        assert client.job(job).done == 0

        embedder.stop()
        embedder.environment["LOOKALIKE_PRECISION"] = "int8"
        embedder.start()

        assert job.wait().indexed == 1
        assert client.search(picture).hits[0].score > 0.9999
        assert service.is_ready()
    service.stop()
    embedder.stop()
