"""The embedder over HTTP, against a real server that answers rightly, wrongly and not at all."""

import asyncio
from contextlib import asynccontextmanager

import numpy as np
import pytest
from aiohttp import web

from bento_service.descriptors.version import Quantisation, Weights, identity
from bento_service.errors import NotReady
from bento_service.serving.array_messages import MEDIA_TYPE
from bento_service.serving.remote_embedder import RemoteEmbedder
from model_build.recipes import descriptor_version
from tests.support.waiting import wait_until_async

WEIGHTS = Weights(digest="0" * 64, source="none")
VERSIONS = tuple(descriptor_version(name, WEIGHTS) for name in ("vgg16-mac", "vgg16-rgem"))
INT8 = descriptor_version(
    "vgg16-mac", WEIGHTS, precision="int8", quantisation=Quantisation(digest="1" * 64)
)
IMAGES = np.random.default_rng(3).integers(0, 256, (9, 224, 224, 3), np.uint8)  # over 1 MiB
GIVEN = np.random.default_rng(4).standard_normal((9, 1024)).astype(np.float32)


class Answering:
    """A server whose answers a test may change."""

    def __init__(self):
        self.status, self.body, self.taken, self.probes = 200, GIVEN.tobytes(), [], 0
        self.headers = {
            "content-type": MEDIA_TYPE,
            "array-type": "float32",
            "array-shape": "9,1024",
            "descriptors": identity(VERSIONS),
        }

    async def describe(self, request):
        body = await request.read()
        self.taken.append((request.path, request.headers["array-shape"], body))
        return web.Response(status=self.status, body=self.body, headers=self.headers)

    async def readyz(self, request):
        self.probes += 1
        return web.Response(
            status=self.status, headers={"descriptors": self.headers["descriptors"]}
        )

    @asynccontextmanager
    async def serving(self, folder=None):
        """Serve over TCP, or over a Unix socket in a folder; its URL."""
        app = web.Application(client_max_size=10**8)
        app.router.add_get("/readyz", self.readyz)
        app.router.add_post("/{route}", self.describe)
        runner = web.AppRunner(app)
        await runner.setup()
        try:
            if folder is None:
                site = web.TCPSite(runner, "127.0.0.1", 0)
                await site.start()
                port = site._server.sockets[0].getsockname()[1]
                yield f"http://127.0.0.1:{port}"
            else:
                await web.UnixSite(runner, str(folder / "a socket")).start()
                yield f"file://{folder}/a%20socket"
        finally:
            await runner.cleanup()


def asking(act, *, answering=None, folder=None, answer_seconds=60.0):
    """Return the result of an action with an embedder over a server."""

    async def run():
        async with (
            (answering or Answering()).serving(folder) as url,
            RemoteEmbedder(url, VERSIONS, answer_seconds=answer_seconds) as embedder,
        ):
            return await act(embedder)

    return asyncio.run(run())


@pytest.mark.parametrize("kind", ["query", "ingest"])
@pytest.mark.parametrize("unix", [False, True])
def test_images_go_there_and_descriptors_come_back(kind, unix, tmp_path):
    answering = Answering()

    async def act(embedder):
        return await getattr(embedder, f"describe_{kind}")(IMAGES)

    given = asking(act, answering=answering, folder=tmp_path if unix else None)

    assert np.array_equal(given, GIVEN)
    assert answering.taken == [(f"/describe_{kind}", "9,224,224,3", IMAGES.tobytes())]


def query(embedder):
    return embedder.describe_query(IMAGES)


def test_other_descriptors_are_refused_and_both_are_named():
    answering = Answering()
    answering.headers["descriptors"] = identity((INT8,))

    with pytest.raises(NotReady) as refusal:
        asking(query, answering=answering)

    text = str(refusal.value)
    assert f"computes vgg16-mac in int8 ({INT8.fingerprint[:12]})" in text
    assert f"this service vgg16-mac in fp32 ({VERSIONS[0].fingerprint[:12]})" in text
    assert "LOOKALIKE_PRECISION" in text


@pytest.mark.parametrize("order", [identity(VERSIONS[::-1]), identity(VERSIONS[:1])])
def test_the_same_descriptors_in_another_order_or_number_are_refused(order):
    answering = Answering()
    answering.headers["descriptors"] = order

    with pytest.raises(NotReady, match="computes"):
        asking(query, answering=answering)


def test_a_server_that_is_no_embedder_is_rejected():
    answering = Answering()
    answering.headers["descriptors"] = "<script>" * 1000

    with pytest.raises(NotReady, match="is not of this release") as refusal:
        asking(query, answering=answering)

    assert "script" not in str(refusal.value)


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({"content-type": "application/vnd.bentoml+pickle"}, GIVEN.tobytes()),
        ({"array-type": "float64"}, GIVEN.tobytes()),
        ({"array-shape": "10,1024"}, bytes(10 * 4096)),
        ({"array-shape": "8,1024"}, bytes(8 * 4096)),
        ({"array-shape": "9,512"}, bytes(9 * 2048)),
        ({}, bytes(10)),
        ({}, bytes(10**6)),
    ],
)
def test_an_answer_of_another_kind_or_size_is_refused(headers, body):
    answering = Answering()
    answering.headers |= headers
    answering.body = body

    with pytest.raises(NotReady, match="the embedder"):
        asking(query, answering=answering)


def test_a_failure_of_the_embedder_is_reported():
    answering = Answering()
    answering.status = 500

    with pytest.raises(NotReady, match=r"failed \(500\)"):
        asking(query, answering=answering)


def test_a_lost_connection_can_be_distinguished_from_everything_else():
    async def act(embedder):
        async def hang_up(reader, writer):
            writer.close()

        server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        async with (
            server,
            RemoteEmbedder(f"tcp://127.0.0.1:{port}", VERSIONS, answer_seconds=60) as other,
        ):
            with pytest.raises(ConnectionError):
                await other.describe_query(IMAGES)
            assert not await other.is_ready()
        with pytest.raises(ConnectionError):  # nobody listens any more
            await other_at(port)

    async def other_at(port):
        async with RemoteEmbedder(f"tcp://127.0.0.1:{port}", VERSIONS, answer_seconds=60) as other:
            await other.describe_query(IMAGES)

    asking(act)


def test_an_embedder_that_never_answers_is_given_up():
    answering, is_given_up = Answering(), asyncio.Event()

    async def describe(request):
        await is_given_up.wait()

    async def act(embedder):
        with pytest.raises(NotReady, match=r"did not answer in 0.2 s"):
            await query(embedder)
        is_given_up.set()

    answering.describe = describe
    asking(act, answering=answering, answer_seconds=0.2)


def test_it_is_ready_where_it_answers_and_computes_what_it_has_to(caplog):
    answering = Answering()

    async def act(embedder):
        states = [await embedder.is_ready()]
        answering.headers["descriptors"] = identity((INT8,))
        states += [await embedder.is_ready(), await embedder.is_ready()]
        answering.headers["descriptors"] = identity(VERSIONS)
        states.append(await embedder.is_ready())
        answering.status = 503
        states.append(await embedder.is_ready())
        return states

    assert asking(act, answering=answering) == [True, False, False, True, False]
    (line,) = [
        record
        for record in caplog.records
        if record.name == "bento_service.serving.remote_embedder"
    ]
    assert "computes vgg16-mac in int8" in line.message


def test_a_wrong_embedder_is_in_the_log_before_anybody_asks(caplog):
    answering = Answering()
    answering.headers["descriptors"] = identity((INT8,))

    async def act(embedder):
        await wait_until_async(lambda: caplog.records)

    asking(act, answering=answering)
    assert answering.taken == []
    assert "computes vgg16-mac in int8" in caplog.text
