"""`Client.local`: a service in this process that opens, answers, and leaves nothing behind."""

import asyncio
import contextlib
import gc
import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import psutil
import pytest

from bento_service.assembly.backing import SERVICE
from bento_service.descriptors.golden import GOLDEN_FILE, GoldenVectors, save_golden
from bento_service.descriptors.version import read_versions
from bento_service.local.opening import open_local
from client_sdk import (
    AsyncClient,
    Client,
    Forbidden,
    LocalUnavailable,
    TimeoutExceeded,
    UsageError,
)
from client_sdk._sync.local import LocalTransport
from client_sdk._transport.settings import LOCAL_URL as URL
from model_build.store import MODEL_FILES
from tests.support.waiting import run_threads, wait_until

PROJECT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def client(model_folder):
    """Yield a client with a temporary folder, which tests share."""
    with Client.local(model=model_folder) as client:
        yield client


def decoders():
    """Processes that this one has started to decode pictures."""
    children = psutil.Process().children()
    return [one for one in children if "bento_service.pictures.decoders.child" in one.cmdline()]


def services():
    """Threads of services in this process."""
    ours = ("lookalike", "replay", "decode", "walk", "AnyIO", "asyncio")
    return [one for one in threading.enumerate() if one.name.startswith(ours)]


def run(script, *arguments, **environment):
    """Run Python in a process of its own."""
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", script, *map(str, arguments)],
        cwd=PROJECT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


# Opening and closing


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


# Requirements


def test_without_a_model_it_says_what_to_run(tmp_path):
    folder = tmp_path / "my models"
    with pytest.raises(LocalUnavailable, match=f"python -m model_build --export '{folder}'`"):
        Client.local(model=folder)


def test_a_model_that_describes_otherwise_here_is_reported_and_not_waited_for(
    model_folder, tmp_path, photographs
):
    for name in MODEL_FILES:
        if name != GOLDEN_FILE:
            (tmp_path / name).symlink_to(model_folder / name)
    (tmp_path / "model_tag.txt").write_text("vgg16:0\n")
    golden = [
        GoldenVectors.load(model_folder / GOLDEN_FILE, one)
        for one in read_versions(model_folder)
        if one.precision != "bf16"
    ]
    turned = [
        GoldenVectors(one.version, one.pictures, np.roll(one.descriptors, 1, axis=0))
        for one in golden
    ]
    save_golden(turned, tmp_path / GOLDEN_FILE)
    with Client.local(model=tmp_path) as client:
        job = client.upload(photographs / "coins.jpg")
        with pytest.raises(LocalUnavailable, match="does not reproduce the golden vectors"):
            job.wait()


def test_without_the_extra_it_says_what_to_install():
    script = """if True:
        import sys
        sys.modules["fastapi"] = None
        from client_sdk import Client
        Client.local()
    """
    assert "needs the extra `local`, but fastapi is not installed" in run(script).stderr


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"precision": "int4"}, UsageError, "give 'int8' or 'int8_openvino' or 'fp32'"),
        ({"threads": 0}, LocalUnavailable, "threads is 0"),
        ({"roots": ["/there/is/none"]}, LocalUnavailable, "/there/is/none is no folder"),
        ({"timeout": 0}, UsageError, "timeout=0"),
    ],
)
def test_arguments_that_are_of_no_use_are_refused(options, error, message, model_folder):
    with pytest.raises(error, match=message):
        Client.local(model=model_folder, **options)


def test_modules_that_only_a_server_needs_are_not_loaded(model_folder, photographs):
    script = """if True:
        import sys
        from client_sdk import Client
        with Client.local() as client:
            client.train(sys.argv[1]).wait()
            client.search(sys.argv[1])
        never = {"aiohttp", "bentoml", "grpc", "pymilvus", "pyarrow", "torch", "uvicorn", "yarl"}
        print(sorted(never & set(sys.modules)))
    """
    ran = run(script, photographs / "coins.jpg", LOOKALIKE_MODEL=str(model_folder))
    assert (ran.stdout, ran.stderr) == ("[]\n", "")


# The caller's own files


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


# Requests


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
