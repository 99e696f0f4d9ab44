"""Requests to a BentoML service: no span that nobody reads, and no timer that outlives them."""

import asyncio
import subprocess
import sys

import bentoml
import pytest
from bentoml._internal.configuration.containers import BentoMLContainer
from bentoml._internal.server.http.traffic import TimeoutMiddleware
from opentelemetry import trace
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Route

from bento_service.serving.request_overhead import cancel_timers, skip_unread_spans
from tests.support.models import PROJECT

SECONDS = 0.2
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of BentoML's own imports


class Pages:
    """The pages of a service, and what their handlers saw."""

    def __init__(self):
        self.spans, self.is_cancelled = [], False

    async def quick(self, _):
        self.spans.append(trace.get_current_span().get_span_context().is_valid)
        return PlainTextResponse("done")

    async def endless(self, _):
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            self.is_cancelled = True
            raise

    async def long_answer(self, _):
        async def parts():
            yield "begun "
            await asyncio.sleep(2 * SECONDS)
            yield "and done"

        return StreamingResponse(parts())

    def app(self, seconds):
        """Return BentoML's application around these pages, with its own layers."""
        pages = Starlette(
            routes=[
                Route("/quick", self.quick),
                Route("/endless", self.endless),
                Route("/long", self.long_answer),
            ]
        )

        @bentoml.asgi_app(pages, path="/")
        class Service:
            pass

        options = {"traffic": {"timeout": seconds}, "metrics": {"enabled": False}}
        return bentoml.service(name="pages", **options)(Service).to_asgi()


@pytest.fixture
def pages(monkeypatch):
    monkeypatch.setattr(TimeoutMiddleware, "__call__", TimeoutMiddleware.__call__)
    cancel_timers()
    return Pages()


@pytest.fixture
def unread():
    skip_unread_spans()
    yield
    BentoMLContainer.tracing_excluded_urls.reset()


async def ask(app, path):
    """Return the status and the body of the answer to a request."""
    sent, bodies = [], [{"type": "http.request", "body": b"", "more_body": False}]

    async def receive():
        if not bodies:
            await asyncio.Event().wait()  # the client stays connected
        return bodies.pop()

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "method": "GET", "path": path, "query_string": b"", "headers": []}
    scope |= {"http_version": "1.1", "scheme": "http", "root_path": "", "client": None}
    await app(scope | {"server": ("127.0.0.1", 80)}, receive, send)
    return sent[0]["status"], b"".join(message.get("body", b"") for message in sent)


def asked(pages, *paths, seconds=60.0):
    """Return the answers to requests, and the number of timers that are left after them."""

    async def all_asked():
        app = pages.app(seconds)
        async with app.router.lifespan_context(app):
            loop = asyncio.get_running_loop()
            before = {timer for timer in loop._scheduled if not timer.cancelled()}
            answers = [await ask(app, path) for path in paths]
            left = {timer for timer in loop._scheduled if not timer.cancelled()} - before
            return answers, len(left)

    return asyncio.run(all_asked())


def test_an_answered_request_leaves_no_timer(pages):
    answers, left = asked(pages, "/quick", "/quick", "/quick")

    assert answers == [(200, b"done")] * 3
    assert left == 0


def test_a_request_without_an_answer_in_time_is_cancelled_and_answered_504(pages):
    ((status, body),), left = asked(pages, "/endless", seconds=SECONDS)

    assert status == 504
    assert b"no answer within 0.2 s" in body
    assert pages.is_cancelled
    assert left == 0


def test_an_answer_that_has_begun_may_take_longer(pages):
    (answer,), _ = asked(pages, "/long", seconds=SECONDS)

    assert answer == (200, b"begun and done")


def test_requests_have_no_span_if_no_exporter_is_configured(pages, unread):
    asked(pages, "/quick")

    assert pages.spans == [False]


@pytest.mark.parametrize("place", [(), ("services",), ("services", "vgg16-embedder")])
def test_requests_have_spans_if_an_exporter_is_configured(pages, monkeypatch, place):
    configuration = BentoMLContainer.config.get()
    for name in place:
        configuration = configuration.setdefault(name, {})
    with monkeypatch.context() as patched:
        patched.setitem(configuration, "tracing", {"exporter_type": "otlp"})
        skip_unread_spans()

    asked(pages, "/quick")

    assert pages.spans == [True]


def test_the_module_of_the_service_is_imported_where_no_service_was_declared_before():
    """BentoML's configuration has no section of services until then."""
    code = "from bento_service.serving.request_overhead import skip_unread_spans as act; act()"
    subprocess.run([sys.executable, "-c", code], cwd=PROJECT, check=True, timeout=120)
