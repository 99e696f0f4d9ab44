"""Opening and closing of `Client.local`: its data folder, processes and threads."""

import asyncio
import contextlib
import gc
import threading
from concurrent.futures import Future

import psutil
import pytest
from fastapi import FastAPI

from bento_service.assembly.backing import SERVICE
from bento_service.local.opening import open_local
from bento_service.local.service import LocalService
from client_sdk import Client, LocalUnavailable
from client_sdk._sync.local import LocalTransport
from client_sdk._transport.settings import LOCAL_URL as URL
from tests.local.programs import run
from tests.support.waiting import wait_until


def decoders():
    """Processes that this one has started to decode pictures."""
    children = psutil.Process().children()
    return [one for one in children if "bento_service.pictures.decoders.child" in one.cmdline()]


def services():
    """Threads of services in this process."""
    ours = ("lookalike", "replay", "decode", "walk", "AnyIO", "asyncio")
    return [one for one in threading.enumerate() if one.name.startswith(ours)]


def test_stored_images_are_found_again_and_nothing_of_the_service_is_left(
    model_folder, tmp_path, photographs
):
    before, threads = decoders(), services()
    with Client.local(tmp_path / "new" / "data", model=model_folder) as client:
        client.upload([photographs / "coffee.jpg", photographs / "coins.jpg"]).wait()
        assert len(decoders()) > len(before)
    assert decoders() == before
    assert services() == threads
    with Client.local(tmp_path / "new" / "data", model=model_folder) as again:
        assert again.count() == 2
        assert again.search(photographs / "coins.jpg").hits[0].name == "coins.jpg"


def test_without_a_folder_everything_goes_at_the_end(model_folder, monkeypatch, tmp_path):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with Client.local(model=model_folder) as client:
        assert client.count() == 0
        assert [path.name[:10] for path in tmp_path.iterdir()] == ["lookalike-"]
    assert list(tmp_path.iterdir()) == []
    client.close()  # a second time does nothing


def test_a_folder_has_one_client_at_a_time_and_the_other_gets_advice(model_folder, tmp_path):
    script = "import sys; from client_sdk import Client; Client.local(sys.argv[1])"
    with Client.local(tmp_path, model=model_folder):
        with pytest.raises(LocalUnavailable, match="PYTEST_XDIST_WORKER"):
            Client.local(tmp_path, model=model_folder)
        other = run(script, tmp_path, LOOKALIKE_MODEL=str(model_folder))
        assert f"another client uses {tmp_path}" in other.stderr
    assert run(script, tmp_path, LOOKALIKE_MODEL=str(model_folder)).stderr == ""


def test_a_process_that_forgets_to_close_ends_at_once_and_loses_nothing(
    model_folder, tmp_path, photographs
):
    script = """if True:
        import sys
        from client_sdk import Client
        client = Client.local(sys.argv[1])
        client.train(sys.argv[2])
        if len(sys.argv) > 3:
            client.job().wait()
    """
    place = {"LOOKALIKE_MODEL": str(model_folder)}
    for more in ([], ["wait"]):  # in the middle of something, and when all is done
        ended = run(script, tmp_path, photographs, *more, **place)
        assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")
    with Client.local(tmp_path, model=model_folder) as client:
        assert client.count() == 6
        for job in client.jobs():
            assert job.wait().failed == 0


@pytest.mark.parametrize("place", ["notes.txt", "notes.txt/below"])
def test_a_file_in_place_of_the_folder_is_named(place, model_folder, tmp_path):
    (tmp_path / "notes.txt").write_text("no folder")

    with pytest.raises(LocalUnavailable, match=r"notes\.txt.* cannot be opened: Not a directory"):
        Client.local(tmp_path / place, model=model_folder)


@pytest.mark.parametrize("is_open", [False, True], ids=["before", "after"])
def test_an_interrupt_while_it_opens_ends_it_and_gives_its_folder_back(
    is_open, model_folder, tmp_path, monkeypatch
):
    class Interrupted(Future):
        def result(self, timeout=None):
            if is_open:
                super().result(timeout)
            raise KeyboardInterrupt

    before, threads = decoders(), services()
    with monkeypatch.context() as patch:
        patch.setattr("bento_service.local.service.Future", Interrupted)
        with pytest.raises(KeyboardInterrupt):
            Client.local(tmp_path, model=model_folder)
    assert (decoders(), services()) == (before, threads)
    with Client.local(tmp_path, model=model_folder) as client:
        assert client.count() == 0


def test_an_interrupt_cancels_an_opening_that_waits(monkeypatch):
    opening, ended = threading.Event(), threading.Event()

    @contextlib.asynccontextmanager
    async def endless(_):
        opening.set()
        try:
            await asyncio.Event().wait()
            yield
        finally:
            ended.set()

    class Interrupted(Future):
        def result(self, timeout=None):
            opening.wait()
            raise KeyboardInterrupt

    monkeypatch.setattr("bento_service.local.service.Future", Interrupted)
    with pytest.raises(KeyboardInterrupt):
        LocalService(FastAPI(lifespan=endless))
    assert ended.is_set()


def test_a_client_that_was_forgotten_gives_its_folder_back(model_folder, tmp_path):
    forgotten = Client.local(tmp_path, model=model_folder)
    del forgotten
    gc.collect()

    def is_free():
        with contextlib.suppress(LocalUnavailable), Client.local(tmp_path, model=model_folder):
            return True

    wait_until(is_free)


def test_a_forked_process_gets_an_error_and_holds_nothing(model_folder, tmp_path):
    script = """if True:
        import os, sys
        from client_sdk import Client, LocalUnavailable
        client = Client.local(sys.argv[1])
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                client.count()
            except LocalUnavailable as error:
                os.write(writing, str(error).encode())
                client.close()
            os.read(reading, 1)  # lives on until the parent writes
            os._exit(0)
        print(os.read(reading, 1000).decode())
        client.close()
        with Client.local(sys.argv[1]) as again:
            print(again.count())
        os.write(writing, b"x")
        os.waitpid(child, 0)
    """
    ended = run(script, tmp_path, LOOKALIKE_MODEL=str(model_folder))
    assert "in each process" in ended.stdout, ended.stderr
    assert ended.stdout.endswith("0\n"), ended.stderr


def test_a_folder_goes_over_to_milvus_and_back(model_folder, tmp_path, photographs):
    def found(client):
        hits = client.search(photographs / "coffee.jpg").hits
        return [(hit.image_id, hit.name, pytest.approx(hit.score, abs=2e-6)) for hit in hits]

    with Client.local(tmp_path, model=model_folder) as client:
        client.upload(sorted(photographs.iterdir())).wait()
        first = found(client)
    served = LocalTransport(open_local(tmp_path, model_folder, backing=SERVICE))
    with Client(URL, transport=served) as client:
        client.wait_ready()
        assert client.info().milvus_lite
        assert found(client) == first
        client.delete(first[-1][0])
    with Client.local(tmp_path, model=model_folder) as client:
        assert not client.info().milvus_lite
        assert found(client) == first[:-1]
