"""The whole service over a Milvus server and PostgreSQL, also while Milvus is paused or killed."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from client_sdk import Client, IndexUnavailable
from client_sdk.schemas import JobState
from tests.support.waiting import wait_until

SEARCHES = 60


@pytest.fixture(scope="module")
def milvus(new_milvus_server):
    """Paused for less than this, it lives on; killed, it is back after as much."""
    return new_milvus_server(session_seconds=20).start()


@pytest.fixture(scope="module")
def over_milvus(new_server, new_postgresql_database, milvus):
    server = new_server(
        LOOKALIKE_MILVUS_URI=milvus.uri, LOOKALIKE_CATALOGUE_URL=new_postgresql_database()
    )
    yield server.start()
    server.stop()


@pytest.fixture
def client(over_milvus):
    with Client(over_milvus.url, timeout=60, retries=0) as client:
        yield client


@pytest.fixture(scope="module")
def shelf(over_milvus, photographs):
    """Return a collection of the six photographs, each with its number as metadata."""
    with Client(over_milvus.url, timeout=60, retries=0) as client:
        client.create_collection("shelf", "vgg16-mac")
        for number, picture in enumerate(sorted(photographs.iterdir())):
            metadata = {"number": number}
            client.upload([picture], collection="shelf", metadata=metadata).wait()
    return "shelf"


def gauges(url):
    """Return each collection's gauge for an available index."""
    page = httpx.get(f"{url}/metrics", timeout=60).text
    (family,) = [
        one for one in text_string_to_metric_families(page) if one.name == "lookalike_index_up"
    ]
    return {sample.labels["collection"]: sample.value for sample in family.samples}


def is_ready(server):
    return httpx.get(f"{server.url}/readyz", timeout=60).status_code == 200


def finds(client, picture, collection):
    try:
        best = client.search(picture, collection=collection).hits[0]
    except IndexUnavailable:
        return False
    return best.name == picture.name and best.score > 0.999


def test_trained_images_are_counted_found_filtered_and_deleted(client, shelf, photographs):
    pictures = sorted(photographs.iterdir())
    assert client.count(collection=shelf) == 6
    assert client.job().state is JobState.COMPLETED
    for picture in pictures[:2]:
        assert finds(client, picture, shelf)
    hits = client.search(pictures[0], collection=shelf, filter="number >= 4").hits
    assert {hit.name for hit in hits} == {picture.name for picture in pictures[4:]}

    client.create_collection("short")
    client.upload(pictures[:2], collection="short").wait()
    first, second = client.images(collection="short")
    assert client.delete(first.id, collection="short") == 1
    hits = client.search(second.id, collection="short").hits
    assert [hit.image_id for hit in hits] == [second.id]
    assert client.delete(filter="$width > 0", collection="short") == 1
    assert client.count(collection="short") == 0
    client.collection("short").delete()
    assert "short" not in {one.name for one in client.collections()}


def test_a_collection_is_brought_to_another_descriptor_and_back(client, shelf, photographs):
    picture = min(photographs.iterdir())
    job = client.collection(shelf).reindex("vgg16-rgem").wait()
    assert job.state is JobState.COMPLETED

    def used():
        found = client.search(picture, collection=shelf, explain=True)
        return found.explanation["descriptor"]

    wait_until(lambda: used() == "vgg16-rgem")
    assert finds(client, picture, shelf)
    client.collection(shelf).undo_reindex()
    assert used() == "vgg16-mac"
    assert finds(client, picture, shelf)
    client.collection(shelf).forget_reindex()


def test_while_milvus_is_paused_searches_end_soon_and_nothing_else_waits(
    client, over_milvus, milvus, shelf, photographs
):
    image_id = next(client.images(collection=shelf)).id
    client.create_collection("meanwhile", "vgg16-mac")
    assert gauges(over_milvus.url)[shelf] == 1
    answers, started = [], threading.Barrier(SEARCHES + 1)

    def search(http):
        started.wait(60)
        body = {"image_id": image_id, "collection": shelf}
        answers.append(http.post("/api/v2/search", json=body))

    limits = httpx.Limits(max_connections=SEARCHES)
    with (
        httpx.Client(base_url=over_milvus.url, timeout=60, limits=limits) as http,
        ThreadPoolExecutor(SEARCHES) as threads,
    ):
        milvus.pause()
        try:
            for _ in range(SEARCHES):
                threads.submit(search, http)
            started.wait(60)
            time.sleep(0.5)
            assert client.count(collection=shelf) == 6
            client.job()
            assert not answers  # every search still waited while these were answered
            assert is_ready(over_milvus)
            threads.shutdown()
            assert gauges(over_milvus.url)[shelf] == 0
        finally:
            milvus.resume()
    assert len(answers) == SEARCHES
    assert {answer.status_code for answer in answers} == {503}
    assert {answer.json()["code"] for answer in answers} == {"index_unavailable"}
    assert all(int(answer.headers["Retry-After"]) >= 1 for answer in answers)
    wait_until(lambda: finds(client, min(photographs.iterdir()), shelf))
    wait_until(lambda: gauges(over_milvus.url)[shelf] == 1)


def test_after_a_kill_of_milvus_the_service_heals_and_what_was_trained_meanwhile_is_found(
    client, over_milvus, milvus, shelf, photographs
):
    picture = max(photographs.iterdir())
    client.create_collection("later", "vgg16-mac")
    wait_until(lambda: gauges(over_milvus.url)["later"] == 1)
    milvus.kill()
    job = client.upload([picture], collection="later").wait()
    assert job.state is JobState.COMPLETED
    assert client.count(collection="later") == 1
    assert not finds(client, picture, shelf)
    assert is_ready(over_milvus)
    milvus.start(wait=False)
    wait_until(lambda: finds(client, picture, shelf))
    wait_until(lambda: finds(client, picture, "later"))
    wait_until(lambda: set(gauges(over_milvus.url).values()) == {1.0})
