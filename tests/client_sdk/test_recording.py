"""Cassettes: recorded against a real service, and replayed where there is none."""

import asyncio
import gzip
import json
from uuid import uuid4

import httpx
import pytest

from client_sdk import AsyncClient, Client, CollectionNotFound, ConnectError, JobState, UsageError
from client_sdk.recording import NotRecorded, RecordingTransport, ReplayTransport, cassette

NOWHERE = "http://127.0.0.1:1"
COUNT = {"collection": "default", "count": 3}


def story(client, photograph, collection):
    """What a user's test might do; everything that came back."""
    job = client.wait(client.upload(photograph, collection=collection), timeout=60)
    followed = list(client.events(job))
    found = client.search(photograph, collection=collection, top_k=1)
    picture = client.thumbnail(found.hits[0].image_id, size=32)
    with pytest.raises(CollectionNotFound) as refused:
        client.count(collection="nowhere")
    counts = (client.count(collection=collection),)
    client.delete_all(collection=collection)
    counts += (client.count(collection=collection), client.count(collection=collection))
    return job, followed, found, picture, str(refused.value), counts


async def async_story(client, photograph, collection):
    """The same, awaited."""
    job = await client.wait(await client.upload(photograph, collection=collection), timeout=60)
    followed = [one async for one in client.events(job)]
    found = await client.search(photograph, collection=collection, top_k=1)
    picture = await client.thumbnail(found.hits[0].image_id, size=32)
    with pytest.raises(CollectionNotFound) as refused:
        await client.count(collection="nowhere")
    counts = (await client.count(collection=collection),)
    await client.delete_all(collection=collection)
    counts += (await client.count(collection=collection), await client.count(collection=collection))
    return job, followed, found, picture, str(refused.value), counts


@pytest.fixture
def tell():
    """Tells the story with either client over a transport."""

    def tell(kind, url, transport, *given):
        if kind == "Client":
            with Client(url, transport=transport) as client:
                return story(client, *given)

        async def run():
            async with AsyncClient(url, transport=transport) as client:
                return await async_story(client, *given)

        return asyncio.run(run())

    return tell


@pytest.fixture
def collection(server):
    name = f"recorded-{uuid4().hex[:8]}"
    yield name
    with Client(server.url) as client:
        client.delete_collection(name)


@pytest.fixture
def recorded(tmp_path):
    """Records questions to prepared answers; gives the path of the cassette."""

    def record(answers, question, **options):
        path = tmp_path / "calls.json"
        transport = RecordingTransport(path, httpx.MockTransport(answers))
        with Client(transport=transport, **options) as client:
            question(client)
        return path

    return record


@pytest.mark.parametrize("kind", ["Client", "AsyncClient"])
def test_what_a_service_answered_is_answered_again_without_it(
    server, photographs, collection, tell, tmp_path, kind
):
    path = tmp_path / "cassettes" / "story.json"
    given = (photographs / "coffee.jpg", collection)
    first = tell(kind, server.url, RecordingTransport(path), *given)
    again = tell(kind, NOWHERE, ReplayTransport(path), *given)
    assert first[0].state is JobState.COMPLETED
    assert first[1][-1].state is JobState.COMPLETED
    assert first[-1] == (1, 0, 0)
    assert first[3][8:12] == b"WEBP"
    assert again == first


def test_what_one_client_recorded_the_other_replays(
    server, photographs, collection, tell, tmp_path
):
    given = (photographs / "coins.jpg", collection)
    first = tell("AsyncClient", server.url, RecordingTransport(tmp_path / "c.json"), *given)
    assert tell("Client", NOWHERE, ReplayTransport(tmp_path / "c.json"), *given) == first


def test_a_cassette_is_readable_and_holds_neither_pictures_nor_where_they_went(
    server, photographs, collection, tell, tmp_path
):
    path = tmp_path / "story.json"
    tell("Client", server.url, RecordingTransport(path), photographs / "rocket.jpg", collection)
    text = path.read_text()
    upload = json.loads(text)["calls"][0]["request"]
    assert upload["form"] == [["collection", collection]]
    assert upload["files"][0]["name"] == "rocket.jpg"
    assert upload["files"][0]["bytes"] == (photographs / "rocket.jpg").stat().st_size
    assert len(text) < (photographs / "rocket.jpg").stat().st_size * 2
    assert str(server.port) not in text
    assert "boundary" not in text


def test_tokens_and_cookies_are_not_written_even_where_the_answer_repeats_them(recorded):
    def answer(request):
        said = {"detail": f"not for {request.headers['authorization']}", "code": "forbidden"}
        body = {"title": "T", "status": 403, **said}
        return httpx.Response(403, json=body, headers={"set-cookie": "session=crumbs"})

    def question(client):
        with pytest.raises(Exception, match="s3cret-token"):
            client.count()

    text = recorded(answer, question, token="s3cret-token").read_text()  # noqa: S106
    assert "s3cret-token" not in text
    assert "crumbs" not in text
    assert "not for Bearer [token]" in text


def test_the_same_call_gets_the_answers_in_their_order_and_then_the_last(recorded):
    numbers = iter([3, 5])
    path = recorded(
        lambda request: httpx.Response(200, json={**COUNT, "count": next(numbers)}),
        lambda client: (client.count(), client.count()),
    )
    with Client(transport=ReplayTransport(path)) as client:
        assert [client.count() for _ in range(4)] == [3, 5, 5, 5]


def test_a_call_that_was_not_recorded_names_the_nearest_one(recorded):
    answers = {"/api/v2/count": COUNT, "/api/v2/collections": {"collections": []}}
    path = recorded(
        lambda request: httpx.Response(200, json=answers[request.url.path]),
        lambda client: (client.collections(), client.count(), client.count(collection="hats")),
    )
    with Client(transport=ReplayTransport(path)) as client, pytest.raises(NotRecorded) as error:
        client.count(collection="hat")
    assert str(error.value).startswith("GET /api/v2/count collection=hat is not in the cassette")
    assert "the nearest there is GET /api/v2/count collection=hats; " in str(error.value)
    assert "cassette(path, 'record')" in str(error.value)


def test_another_picture_is_another_call(recorded):
    found = {"collection": "default", "model": "m", "hits": []}
    took = {"decode": 1, "describe": 2, "search": 3, "total": 6}
    path = recorded(
        lambda request: httpx.Response(200, json={**found, "took_ms": took}),
        lambda client: client.search(("cat.png", b"one cat")),
    )
    with Client(transport=ReplayTransport(path)) as client:
        assert client.search(("cat.png", b"one cat")).hits == ()
        with pytest.raises(NotRecorded, match=r"file=cat\.png"):
            client.search(("cat.png", b"another cat"))


def test_waiting_does_not_go_on_where_nothing_was_recorded(recorded):
    path = recorded(lambda request: httpx.Response(200, json=COUNT), lambda client: client.count())
    with Client(transport=ReplayTransport(path)) as client, pytest.raises(NotRecorded):
        client.wait("j1", timeout=600)


def test_once_records_and_then_replays(tmp_path):
    path = tmp_path / "once.json"
    inner = httpx.MockTransport(lambda request: httpx.Response(200, json=COUNT))
    for _ in range(2):
        with Client(transport=cassette(path, inner=inner)) as client:
            assert client.count() == 3
        inner = httpx.MockTransport(lambda request: pytest.fail("the service was asked"))


def test_record_writes_the_cassette_anew(recorded):
    recorded(lambda request: httpx.Response(200, json=COUNT), lambda client: client.count())
    path = recorded(
        lambda request: httpx.Response(200, json={"collections": []}),
        lambda client: client.collections(),
    )
    calls = json.loads(path.read_text())["calls"]
    assert [call["request"]["path"] for call in calls] == ["/api/v2/collections"]


def test_a_service_behind_a_path_is_replayed_at_any_address(tmp_path):
    path = tmp_path / "calls.json"
    inner = httpx.MockTransport(lambda request: httpx.Response(200, json=COUNT))
    with Client("https://shop.example/lookalike", transport=cassette(path, inner=inner)) as client:
        client.count()
    with Client(NOWHERE, transport=cassette(path, "replay")) as client:
        assert client.count() == 3


def test_an_answer_that_broke_off_is_not_in_the_cassette(tmp_path):
    class Broken(httpx.SyncByteStream):
        def __iter__(self):
            yield b'{"collection": '
            raise httpx.ReadError("gone")

    inner = httpx.MockTransport(lambda request: httpx.Response(200, stream=Broken()))
    transport = RecordingTransport(tmp_path / "c.json", inner)
    with Client(transport=transport) as client, pytest.raises(ConnectError):
        client.count()
    assert json.loads((tmp_path / "c.json").read_text())["calls"] == []


def test_a_compressed_answer_is_written_as_what_it_says(recorded):
    body = gzip.compress(json.dumps(COUNT).encode())
    headers = {"content-encoding": "gzip", "content-type": "application/json"}
    path = recorded(
        lambda request: httpx.Response(200, content=body, headers=headers),
        lambda client: client.count(),
    )
    assert json.loads(path.read_text())["calls"][0]["response"]["json"] == COUNT


def test_a_cassette_that_is_not_there_says_how_to_record_it(tmp_path):
    with pytest.raises(UsageError, match=r"there is no cassette .*record it with a service"):
        cassette(tmp_path / "none.json", "replay")


@pytest.mark.parametrize(
    "text", ["", "[]", '{"version": 1}', '{"version": 1, "calls": [{"request": {}}]}']
)
def test_a_file_that_is_no_cassette_is_refused(tmp_path, text):
    (tmp_path / "c.json").write_text(text)
    with pytest.raises(UsageError, match="is no cassette"):
        ReplayTransport(tmp_path / "c.json")


def test_a_cassette_of_another_version_is_refused(tmp_path):
    (tmp_path / "c.json").write_text('{"version": 2, "calls": []}')
    with pytest.raises(UsageError, match="version 2"):
        ReplayTransport(tmp_path / "c.json")


def test_another_mode_is_refused(tmp_path):
    with pytest.raises(UsageError, match="'rewind'"):
        cassette(tmp_path / "c.json", "rewind")


def test_a_client_that_waits_refuses_an_inner_transport_that_does_not(tmp_path):
    transport = RecordingTransport(tmp_path / "c.json", httpx.AsyncHTTPTransport())
    with Client(transport=transport) as client, pytest.raises(UsageError, match="AsyncClient"):
        client.count()
