"""Requests that the embedder accepts: image arrays of checked size, a limited number at once."""

import asyncio

import numpy as np
import pytest

from bento_service.descriptors.version import Weights
from bento_service.serving.array_messages import ARRAY_KEY, array_body, array_headers
from bento_service.serving.embedder_entrance import EmbedderEntrance
from model_build.recipes import descriptor_version
from tests.support.waiting import wait_until_async

VERSION = descriptor_version("vgg16-mac", Weights(digest="0" * 64, source="none"))
IMAGES = np.random.default_rng(1).integers(0, 256, (3, 224, 224, 3), np.uint8)


class Behind:
    """Stands where BentoML is: counts requests and keeps the arrays that it was given."""

    def __init__(self):
        self.paths, self.arrays = [], []
        self.go_on = asyncio.Event()
        self.go_on.set()

    async def __call__(self, scope, receive, send):
        self.paths.append(scope["path"])
        self.arrays.append(scope.get(ARRAY_KEY))
        await self.go_on.wait()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"described"})


def guarded(behind, **options):
    return EmbedderEntrance(behind, routes=("/describe",), versions=lambda: (VERSION,), **options)


async def asked(app, path="/describe", *, method="POST", headers=None, body=(b"",), pause=0.0):
    """Return the status, headers and body of an answer."""
    pieces, sent = list(body), []

    async def receive():
        await asyncio.sleep(pause)
        if not pieces:
            return {"type": "http.disconnect"}
        piece = pieces.pop(0)
        return {"type": "http.request", "body": piece, "more_body": bool(pieces)}

    async def send(message):
        sent.append(message)

    given = [(name.encode(), value.encode()) for name, value in (headers or {}).items()]
    scope = {"type": "http", "method": method, "path": path, "headers": given}
    await app(scope, receive, send)
    headers = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return sent[0]["status"], headers, b"".join(one.get("body", b"") for one in sent[1:])


def ask(app, *arguments, **options):
    return asyncio.run(asked(app, *arguments, **options))


def whole(images=IMAGES, **options):
    return {"headers": array_headers(images), "body": [bytes(array_body(images))], **options}


@pytest.mark.parametrize("size", [100, 150_528, 10**6])
def test_images_are_handed_on_as_they_were_sent_in_whatever_pieces(size):
    behind, sent = Behind(), bytes(array_body(IMAGES))
    pieces = [sent[at : at + size] for at in range(0, len(sent), size)]

    answer = ask(guarded(behind), **whole(body=pieces))

    assert (answer[0], answer[2]) == (200, b"described")
    assert np.array_equal(behind.arrays[0], IMAGES)


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/healthz", "/metrics"])
def test_probes_and_metrics_are_handed_on_without_a_body(path):
    behind = Behind()

    assert ask(guarded(behind), path, method="GET", body=[b"x" * 10])[0] == 200
    assert behind.arrays == [None]


@pytest.mark.parametrize(
    ("path", "method", "status"),
    [
        ("/", "GET", 404),
        ("/schema.json", "GET", 404),
        ("/docs.json", "GET", 404),
        ("/describe/submit", "POST", 404),
        ("/livez", "POST", 404),
        ("/readyz", "PUT", 404),
        ("/describe", "GET", 405),
    ],
)
def test_every_other_route_is_refused_before_bentoml_sees_it(path, method, status):
    behind = Behind()

    answer = ask(guarded(behind), path, method=method, headers=array_headers(IMAGES))

    assert (answer[0], behind.paths) == (status, [])
    assert answer[1]["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    "wrong",
    [
        {"content-type": "application/vnd.bentoml+pickle"},
        {"content-type": "application/json"},
        {"array-type": "object"},
        {"array-shape": "65,224,224,3", "content-length": str(65 * 150_528)},
        {"content-length": str(10**9)},
    ],
)
def test_a_wrong_head_is_refused_without_reading_the_body(wrong):
    behind = Behind()

    async def never():
        raise AssertionError("the body was read")

    async def run():
        sent = []
        headers = array_headers(IMAGES) | wrong
        given = [(name.encode(), value.encode()) for name, value in headers.items()]
        scope = {"type": "http", "method": "POST", "path": "/describe", "headers": given}

        async def send(message):
            sent.append(message)

        await guarded(behind)(scope, never, send)
        return sent[0]["status"]

    assert asyncio.run(run()) == 400
    assert behind.paths == []


def test_a_body_that_breaks_off_is_refused():
    behind = Behind()

    assert ask(guarded(behind), **whole(body=[b"half"]))[0] == 400
    assert behind.paths == []


def test_a_body_that_comes_too_slowly_is_refused():
    behind = Behind()
    drips = [bytes(1)] * 10_000

    answer = ask(guarded(behind, body_seconds=-0.4), **whole(body=drips, pause=0.05))

    assert (answer[0], behind.paths) == (408, [])


def test_only_so_many_images_are_under_way_at_once():
    async def run():
        behind = Behind()
        behind.go_on.clear()
        app = guarded(behind, max_rows_in_flight=7)
        waiting = [asyncio.create_task(asked(app, **whole())) for _ in range(2)]
        await wait_until_async(lambda: len(behind.paths) == 2)
        refused = await asked(app, **whole())
        behind.go_on.set()
        taken = [(await one)[0] for one in waiting]
        after = await asked(app, **whole())
        return refused, taken, after[0]

    refused, taken, after = asyncio.run(run())
    assert (refused[0], refused[1]["retry-after"]) == (429, "1")
    assert (taken, after) == ([200, 200], 200)


def test_every_answer_says_what_is_computed():
    app = guarded(Behind())
    answers = [
        ask(app, **whole()),
        ask(app, "/livez", method="GET"),
        ask(app, "/"),
        ask(app, headers={"content-type": "text/plain"}),
    ]

    assert [answer[0] for answer in answers] == [200, 200, 404, 400]
    assert {answer[1]["descriptors"] for answer in answers} == {
        f"vgg16-mac fp32 {VERSION.fingerprint}"
    }
