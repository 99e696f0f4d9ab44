"""Uploads through either of two services, in a shared folder and in object storage."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from client_sdk.schemas import JobState
from tests.admin.serving import picture
from tests.replicas.pair import client
from tests.support.object_storage import BUCKET
from tests.support.waiting import running

UPLOADS = 40
ROUNDS = 6


@pytest.fixture(params=["folder", "s3"])
def storage(request):
    """Return the settings with which both services use one store of uploads."""
    if request.param == "folder":
        return {}
    s3 = request.getfixturevalue("s3")
    return {"LOOKALIKE_STORAGE": f"s3://{BUCKET}/uploads", **s3.environment}


@pytest.fixture
def sent(tmp_path):
    """Files with different pictures."""
    folder = tmp_path / "sent"
    folder.mkdir()
    for seed in range(UPLOADS):
        (folder / f"{seed:02}.png").write_bytes(picture(seed))
    return sorted(folder.iterdir())


def test_uploads_through_either_are_indexed_and_shown_by_both(new_pair, storage, sent):
    pair = new_pair(describe_seconds=0.01, **storage)
    with client(pair.servers[0]) as first, client(pair.servers[1]) as second:

        def send(number):
            one = (first, second)[number % 2]
            return one.upload(sent[number], collection="cats").id

        with ThreadPoolExecutor(8) as threads:
            jobs = list(threads.map(send, range(UPLOADS)))
        ended = [second.job(job).wait(timeout=300, interval=0.05) for job in jobs]
        assert [(job.state, job.indexed, job.failed) for job in ended] == [
            (JobState.COMPLETED, 1, 0)
        ] * UPLOADS
        assert all(pair.descriptions())
        names = {path.name: path.read_bytes() for path in sent}
        for one in (first, second):
            shown = {image.name: image.content() for image in one.images(collection="cats")}
            assert shown == names


def test_uploads_survive_deletions_of_the_same_pictures_by_the_other(new_pair, storage, sent):
    pair = new_pair(**storage)
    ended = threading.Event()

    def delete():
        with client(pair.servers[1]) as other:
            while not ended.is_set():
                other.delete(all=True, collection="gone")

    with client(pair.servers[0]) as first, client(pair.servers[1]) as second:
        first.create_collection("gone")
        with running(threading.Thread(target=delete), stop=ended.set):
            for _ in range(ROUNDS):
                for path in sent[:4]:
                    job = first.upload(path, collection="gone").wait(timeout=300, interval=0.02)
                    assert (job.state, job.failed) == (JobState.COMPLETED, 0)
        for path in sent[:4]:
            first.upload(path, collection="gone").wait(timeout=300, interval=0.02)
        shown = {image.name: image.content() for image in second.images(collection="gone")}
        assert shown == {path.name: path.read_bytes() for path in sent[:4]}
