"""Traces of a real service, sent to a collector by the words of docs/monitoring.md."""

import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from client_sdk import Client
from tests.support.documents import PROJECT
from tests.support.waiting import wait_until

trace_service = pytest.importorskip("opentelemetry.proto.collector.trace.v1.trace_service_pb2")
pytest.importorskip("opentelemetry.exporter.otlp.proto.http")


class Collector(ThreadingHTTPServer):
    """A collector that keeps the spans of each service, by its name."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.spans: dict[str, list] = {}

    def named(self, service: str, name: str) -> list:
        """Return the spans of this name that a service sent."""
        return [span for span in self.spans.get(service, ()) if span.name == name]


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        sent = trace_service.ExportTraceServiceRequest.FromString(body)
        for each in sent.resource_spans:
            names = {one.key: one.value.string_value for one in each.resource.attributes}
            kept = self.server.spans.setdefault(names["service.name"], [])
            kept += [span for scope in each.scope_spans for span in scope.spans]
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as collector:
        thread = threading.Thread(target=collector.serve_forever)
        thread.start()
        yield collector
        collector.shutdown()
        thread.join()


def documented_options(port):
    """Return the options of the document, with the port of this collector."""
    text = (PROJECT / "docs" / "monitoring.md").read_text("utf-8")
    (options,) = re.findall(r"BENTOML_CONFIG_OPTIONS='([^']+)'", text)
    assert "http://localhost:4318/" in options
    return options.replace("localhost:4318", f"127.0.0.1:{port}")


def test_a_search_is_one_trace_over_service_and_embedder(new_server, photographs, collector):
    options = documented_options(collector.server_port)
    server = new_server(BENTOML_CONFIG_OPTIONS=options).start()
    with Client(server.url) as client:
        client.search(photographs / "coffee.jpg")
    asked, described = "POST /api/v2/search", "POST /describe_query"
    wait_until(
        lambda: collector.named("lookalike", asked) and collector.named("vgg16-embedder", described)
    )

    (above,) = collector.named("lookalike", asked)
    (below,) = collector.named("vgg16-embedder", described)
    assert below.trace_id == above.trace_id
    assert below.parent_span_id
