"""A real S3 server in this process, with faults that tests switch on."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import Any

import boto3
import httpx
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

BUCKET = "pictures"
Fault = Callable[[dict[str, Any], Any], list[bytes] | None]


class _Handler(WSGIRequestHandler):
    """Answers a request without a line in the log, which tests of messages read."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        pass


class S3Server:
    """moto's S3 server on a port of its own. What it stores survives `stop` and `start`.

    Attributes:
        requests: The methods and paths of the requests, in order.
        fault: Answers a request in place of the server; `None`, also as its answer, for the server.
    """

    def __init__(self) -> None:
        self.requests: list[tuple[str, str]] = []
        self.fault: Fault | None = None
        self._app = DomainDispatcherApplication(create_backend_app)
        self._port = 0
        self._server: BaseWSGIServer | None = None
        self._thread = threading.Thread()

    @property
    def url(self) -> str:
        """The address of the server."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def environment(self) -> dict[str, str]:
        """The variables with which a process reaches it."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": "key",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_DEFAULT_REGION": "us-east-1",
        }

    @property
    def options(self) -> dict[str, Any]:
        """The options with which fsspec reaches it."""
        return {"endpoint_url": self.url, "key": "key", "secret": "secret"}

    def start(self) -> None:
        """Listen, on the same port as before."""
        server = make_server(
            "127.0.0.1", self._port, self._answer, threaded=True, request_handler=_Handler
        )
        self._server, self._port = server, server.server_port
        self._thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Refuse connections."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._thread.join(30)
            self._server = None

    def empty(self) -> None:
        """Forget everything, and make an empty bucket."""
        self.fault = None
        for method, path in (("POST", "/moto-api/reset"), ("PUT", f"/{BUCKET}")):
            httpx.request(method, self.url + path, timeout=30).raise_for_status()
        self.requests.clear()

    def put(self, key: str, data: bytes) -> None:
        """Store an object in the bucket."""
        self._client.put_object(Bucket=BUCKET, Key=key, Body=data)

    def delete(self, key: str) -> None:
        """Remove an object from the bucket."""
        self._client.delete_object(Bucket=BUCKET, Key=key)

    @cached_property
    def _client(self) -> Any:
        environment = self.environment
        return boto3.client(
            "s3",
            endpoint_url=self.url,
            region_name=environment["AWS_DEFAULT_REGION"],
            aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
        )

    def _answer(self, environ: dict[str, Any], start_response: Any) -> Any:
        self.requests.append((environ["REQUEST_METHOD"], environ["PATH_INFO"]))
        answer = None if self.fault is None else self.fault(environ, start_response)
        return self._app(environ, start_response) if answer is None else answer


def unavailable(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    """Answer 503, as a server that is overloaded."""
    environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    start_response("503 Slow Down", [("Content-Length", "0")])
    return []


def refusing(method: str) -> Fault:
    """Answer 503 to one method alone."""

    def fault(environ: dict[str, Any], start_response: Any) -> list[bytes] | None:
        is_it = environ["REQUEST_METHOD"] == method
        return unavailable(environ, start_response) if is_it else None

    return fault


def slow(seconds: float) -> Fault:
    """Answer after a time."""

    def fault(environ: dict[str, Any], start_response: Any) -> None:
        time.sleep(seconds)

    return fault


@contextmanager
def running_s3() -> Iterator[S3Server]:
    """Yield a server that runs."""
    server = S3Server()
    server.start()
    try:
        yield server
    finally:
        server.stop()
