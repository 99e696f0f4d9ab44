"""`Client.local`: paths of the caller, and requests of several threads and event loops."""

import asyncio
import threading

import numpy as np
import pytest

from client_sdk import AsyncClient, Client, Forbidden, TimeoutExceeded
from tests.support.waiting import run_threads


@pytest.fixture(scope="module")
def client(model_folder):
    """Yield a client with a temporary folder, which tests share."""
    with Client.local(model=model_folder) as client:
        yield client


def test_paths_are_those_of_the_caller(client, tmp_path, photographs, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "coins.jpg").write_bytes((photographs / "coins.jpg").read_bytes())
    (tmp_path / "linked").symlink_to("here")
    client.create_collection("own", ttl_seconds=600)
    for path in (
        "here",
        tmp_path / "here" / "coins.jpg",
        "linked/coins.jpg",
        "../" + tmp_path.name,
    ):
        client.train(path, collection="own").wait()
    (image,) = client.images(collection="own", prefix=str(tmp_path))
    assert image.source == str(tmp_path.resolve() / "here" / "coins.jpg")
    assert image.content() == (photographs / "coins.jpg").read_bytes()
    assert client.jobs(collection="own").__next__().source == str(tmp_path.resolve())


def test_with_roots_nothing_else_is_read(model_folder, tmp_path, photographs):
    with Client.local(model=model_folder, roots=[photographs]) as client:
        assert client.info().image_roots == (photographs.name,)
        assert client.train("coins.jpg").wait().indexed == 1
        with pytest.raises(Forbidden):
            client.train(tmp_path)


def test_roots_of_before_are_remembered(model_folder, tmp_path, photographs):
    data = tmp_path / "data"
    with Client.local(data, model=model_folder, roots=[photographs]) as client:
        client.train("coins.jpg").wait()
    with Client.local(data, model=model_folder) as client:
        (image,) = client.images()
        assert image.content() == (photographs / "coins.jpg").read_bytes()


def test_many_threads_and_an_event_loop_ask_at_once(client, photographs, model_folder):
    client.create_collection("many", ttl_seconds=600)
    pictures = sorted(photographs.iterdir())
    client.upload(pictures, collection="many").wait()
    found = {}

    def ask(picture):
        found[picture.name] = client.search(picture, collection="many").hits[0].name

    threads = [threading.Thread(target=ask, args=(one,)) for one in pictures]
    run_threads(*threads)
    assert found == {one.name: one.name for one in pictures}


def test_the_asynchronous_client_has_one_too(model_folder, photographs):
    async def ask():
        async with AsyncClient.local(model=model_folder) as client:
            job = await client.upload(sorted(photographs.iterdir()))
            states = [one.state async for one in job.events()]
            hits = await asyncio.gather(
                *(client.search(one) for one in sorted(photographs.iterdir()))
            )
            return states[-1], [one.hits[0].name for one in hits]

    state, names = asyncio.run(ask())
    assert state == "completed"
    assert names == sorted(path.name for path in photographs.iterdir())


def test_an_answer_that_takes_too_long_is_a_timeout(client, photographs):
    impatient = Client("http://localhost", timeout=0.001, transport=client._connection.transport)
    with pytest.raises(TimeoutExceeded):
        impatient.search(photographs / "coins.jpg")
    assert client.count() >= 0


def test_an_address_may_name_a_folder_or_none(model_folder, tmp_path, photographs, monkeypatch):
    monkeypatch.setenv("LOOKALIKE_MODEL", str(model_folder))
    with Client(f"local:{tmp_path / 'data'}") as client:
        client.train(photographs / "coins.jpg").wait()
        found = client.search(photographs / "coins.jpg")
        assert found[0].source == str(photographs / "coins.jpg")
        assert "data:image/webp;base64," in found._repr_html_()
        vector = np.array(found[0].descriptor().vector)
        assert np.isclose(np.linalg.norm(vector), 1, atol=1e-5)
        again = np.array(client.describe(photographs / "coins.jpg").vector)
        assert np.isclose(vector @ again, found[0].score, atol=1e-5)
    monkeypatch.setenv("LOOKALIKE_URL", "local:")
    with Client() as empty:
        assert empty.count() == 0
