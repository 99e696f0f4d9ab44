"""Starting, stopping, dying and coming back, with real processes."""

import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from uuid import uuid4

import httpx
import pytest
from PIL import Image, ImageEnhance
from sqlalchemy import text

from bento_service.catalogue import Catalogue
from client_sdk import Client
from client_sdk.schemas import JobState
from tests.support.waiting import wait_until

PICTURES = 24


@pytest.fixture(scope="module")
def pictures(photographs, tmp_path_factory):
    """Return two dozen different pictures: the photographs, brighter and darker."""
    folder = tmp_path_factory.mktemp("pictures")
    for path in sorted(photographs.iterdir()):
        with Image.open(path) as photograph:
            for step in range(PICTURES // 6):
                edited = ImageEnhance.Brightness(photograph).enhance(0.7 + 0.2 * step)
                edited.save(folder / f"{path.stem}-{step}.jpg")
    return folder


@pytest.fixture(scope="module")
def living(new_server):
    """Return a running server, and its answers to the first two requests."""
    server = new_server().start()
    answers = [httpx.get(f"{server.url}/api/{version}/process") for version in ("v2", "v1")]
    return server, answers


@pytest.fixture
def server(living):
    """Return the same server, which tests end and start again; each has a collection of its own."""
    server, _ = living
    if not server.is_ready():
        server.kill()
        server.start()
    return server


@pytest.fixture
def collection(server):
    name = f"life-{uuid4().hex[:8]}"
    with Client(server.url) as client:
        client.create_collection(name)
    return name


def test_before_the_first_job_process_is_idle_and_not_an_error(living):
    _, (v2, v1) = living

    idle = v2.json()
    assert (idle["id"], idle["state"], idle["total"], idle["done"]) == (None, "idle", 0, 0)
    assert (v1.status_code, v1.text) == (200, "current: 0, total: 0")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_every_process_and_a_second_start_finds_everything(
    server, collection, photographs, number
):
    two = [photographs / "coins.jpg", photographs / "ihc.jpg"]
    with Client(server.url) as client:
        client.upload(two, collection=collection).wait()
        before = client.search(photographs / "coins.jpg", collection=collection)
    assert len(server.processes()) >= 3

    server.tell(number)

    _wait_until_nothing_is_left(server)
    server.start()
    with Client(server.url) as client:
        assert client.count(collection=collection) == 2
        after = client.search(photographs / "coins.jpg", collection=collection)
        assert _ranking(after) == _ranking(before)
        assert client.job().state is JobState.COMPLETED


def test_kill_9_in_the_middle_of_a_train_loses_and_doubles_nothing(server, collection, pictures):
    shutil.copytree(pictures, server.images / collection)
    with Client(server.url) as client:
        job = client.train(collection, collection=collection)
        seen = wait_until(lambda: (done := client.job(job).done) >= 4 and done)

    server.kill()
    server.start()

    with Client(server.url) as client:
        resumed = client.job(job)
        assert resumed.done >= seen
        finished = resumed.wait()
        images = list(client.images(collection=collection))
        assert (finished.state, finished.indexed, finished.duplicates, finished.failed) == (
            JobState.COMPLETED,
            PICTURES,
            0,
            0,
        )
        assert sorted(image.name for image in images) == sorted(
            path.name for path in pictures.iterdir()
        )
        assert client.count(collection=collection) == PICTURES
        found = client.search(pictures / "coins-0.jpg", collection=collection, top_k=100).hits
        assert sorted(hit.image_id for hit in found) == sorted(image.id for image in images)


def test_a_stop_ends_the_streams_and_a_start_goes_on_with_jobs_keys_and_streams(
    server, collection, pictures
):
    states, lines = [], []
    order = {"collection": collection, "idempotency_key": "one order"}

    def follow():
        with Client(server.url) as own:
            states.extend(own.job(job).events(timeout=180))

    def read_on():
        with httpx.stream("GET", f"{server.url}/api/v2/jobs/{job.id}/events", timeout=60) as stream:
            lines.extend(stream.iter_lines())  # raises where the stream is cut off
        lines.append("the end")

    with Client(server.url) as client:
        files = sorted(pictures.iterdir())
        job = client.upload(files, **order)
        following, reading = (threading.Thread(target=one) for one in (follow, read_on))
        following.start()
        reading.start()
        next(one for one in job.events() if one.done)

    server.tell(signal.SIGTERM)

    reading.join(60)
    assert lines[0] == "event: job"
    assert lines[-1] == "the end"
    _wait_until_nothing_is_left(server)
    server.start()
    with Client(server.url) as client:
        assert client.upload(files, **order).id == job.id
        following.join(180)
        assert client.job(job).wait().indexed == PICTURES
    assert states[-1].state is JobState.COMPLETED
    assert [job.done for job in states] == sorted(job.done for job in states)


def test_a_killed_embedder_comes_back_and_the_train_goes_on(server, collection, pictures):
    shutil.copytree(pictures, server.images / collection)
    with Client(server.url, timeout=120) as client:
        job = client.train(collection, collection=collection)
        wait_until(lambda: client.job(job).done >= 4)
        (embedder,) = [
            pid for pid, line in server.processes().items() if "vgg16-embedder" in line.lower()
        ]

        os.kill(embedder, signal.SIGKILL)

        finished = job.wait()
        assert (finished.state, finished.indexed) == (JobState.COMPLETED, PICTURES)
        best = client.search(pictures / "coins-0.jpg", collection=collection).hits[0]
        assert best.score > 0.999


def test_a_deleted_index_is_built_again_from_the_catalogue(server, collection, photographs):
    with Client(server.url) as client:
        client.upload(sorted(photographs.iterdir()), collection=collection).wait()
        before = client.search(photographs / "coffee.jpg", collection=collection)
    server.stop()
    shutil.rmtree(server.data_dir / "milvus.db")

    server.start()

    with Client(server.url) as client:
        after = client.search(photographs / "coffee.jpg", collection=collection)
        assert _ranking(after) == _ranking(before)


def test_a_second_service_on_the_same_data_folder_is_refused(server):
    answer = _start_in_vain(server.environment | {"LOOKALIKE_PORT": "1"})

    assert (answer.returncode, answer.stderr.count("\n")) == (2, 1)
    named = re.search(r"another service \(process (\d+)\) uses this data folder", answer.stderr)
    assert int(named[1]) in server.processes()


def test_a_port_in_use_is_said_before_anything_starts(server, tmp_path):
    answer = _start_in_vain(server.environment | {"LOOKALIKE_DATA_DIR": str(tmp_path)})

    assert answer.returncode == 2
    assert f"cannot listen on 127.0.0.1:{server.port}" in answer.stderr


def test_a_model_that_is_missing_is_said_before_anything_is_written(server, tmp_path):
    home, data = tmp_path / "home", tmp_path / "data"
    answer = _start_in_vain(
        server.environment | {"LOOKALIKE_DATA_DIR": str(data), "BENTOML_HOME": str(home)}
    )

    assert (answer.returncode, answer.stderr.count("\n")) == (2, 1)
    assert f"is not in {home}; build it with `make run`" in answer.stderr
    assert not data.exists()


def test_a_misspelt_setting_is_an_error_at_start(server, tmp_path):
    answer = _start_in_vain({**server.environment, "LOOKALIKE_IMAGE_ROOT": "/srv"})

    assert answer.returncode == 2
    assert "LOOKALIKE_IMAGE_ROOT is not a setting; did you mean LOOKALIKE_IMAGE_ROOTS" in (
        answer.stderr
    )


def test_a_precision_that_no_engine_has_is_an_error_at_start(server, tmp_path):
    answer = _start_in_vain(
        {**server.environment, "LOOKALIKE_DATA_DIR": str(tmp_path), "LOOKALIKE_PRECISION": "int4"}
    )

    assert (answer.returncode, answer.stderr.count("\n")) == (2, 1)
    assert (
        "LOOKALIKE_PRECISION is 'int4'; use one of fp32, int8, int8_openvino, bf16, auto"
        in answer.stderr
    )


def test_a_folder_given_at_the_start_is_indexed_and_the_progress_is_shown(new_server, photographs):
    server = new_server()
    environment = {k: v for k, v in server.environment.items() if k != "LOOKALIKE_IMAGE_ROOTS"}
    command = [sys.executable, "-m", "bento_service", "--images", str(photographs)]
    process = subprocess.Popen(
        command,
        env=environment,
        stderr=subprocess.STDOUT,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    try:
        lines = []
        for line in process.stdout:
            lines.append(line)
            if "6 indexed" in line:
                break
        assert any(f"Lookalike is ready: {server.url}" in line for line in lines), "".join(lines)
        assert httpx.get(f"{server.url}/api/v2/count").json()["count"] == 6
    finally:
        process.terminate()
        process.communicate(timeout=60)  # `new_server` kills what is left
    _wait_until_nothing_is_left(server)


def test_without_the_process_that_started_it_a_service_ends_by_itself(server):
    server.tell(signal.SIGKILL)

    _wait_until_nothing_is_left(server)
    assert server.start().is_ready()


def test_a_catalogue_of_a_newer_release_is_one_message_and_the_end(server, tmp_path):
    data = tmp_path / "data"
    with Catalogue.open(f"sqlite:///{data}/catalogue.db") as catalogue:
        newer = text("UPDATE alembic_version SET version_num = '9999'")
        catalogue.database.write(newer)

    answer = _start_in_vain(server.environment | {"LOOKALIKE_DATA_DIR": str(data)})

    assert (answer.returncode, answer.stderr.count("\n")) == (2, 1)
    assert "the catalogue is of a newer release (its tables are at revision 9999" in answer.stderr


def _ranking(answer):
    return [(hit.image_id, round(hit.score, 4)) for hit in answer.hits]


def _start_in_vain(environment):
    return subprocess.run(
        [sys.executable, "-m", "bento_service"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def _wait_until_nothing_is_left(server):
    wait_until(lambda: not server.processes(), message=lambda: str(server.processes()))
