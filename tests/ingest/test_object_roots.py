"""Jobs of objects that change and vanish, with a real S3 server and a real worker."""

import json
import threading

import pytest

from bento_service.errors import StorageUnavailable
from bento_service.ingest.worker.pruning import prune
from bento_service.requests import TrainRequest
from bento_service.settings import ObjectImageRoot
from bento_service.storage.image_roots import ImageRoots
from tests.support.ingesting import Ingest
from tests.support.object_storage import BUCKET, refusing
from tests.support.pictures import png
from tests.support.waiting import WAIT_SECONDS


@pytest.fixture
def room(tmp_path, at_s3):
    made = Ingest(tmp_path)
    made.roots = ImageRoots([ObjectImageRoot("pictures", f"s3://{BUCKET}/shop")])
    with made.catalogue:
        yield made


@pytest.fixture
def write(at_s3):
    def store(**pictures):
        for name, colour in pictures.items():
            at_s3.put(f"shop/{name}.png", png(colour))

    return store


@pytest.fixture
def train(room):
    def training(path=".", **options):
        job = room.train(path, **options)
        room.work()
        return room.job(job)

    return training


def paths(room):
    return sorted(source.path for image in room.images() for source in image.sources)


def test_only_changed_objects_are_read(room, write, train, at_s3):
    write(a="red", b="green", c="blue")
    assert train().indexed == 3
    at_s3.requests.clear()
    assert train().unchanged == 3
    assert [path for method, path in at_s3.requests if path.endswith(".png")] == []
    write(b="black")  # perhaps in the second in which it was read
    job = train()
    assert (job.indexed, job.unchanged, job.removed) == (1, 2, 1)
    assert train().unchanged == 3


def test_the_same_bytes_at_another_key_are_another_source_of_the_image(room, write, train):
    write(a="red")
    train()
    write(b="red")
    assert train().duplicates == 2
    assert paths(room) == ["a.png", "b.png"]


def test_pruning_removes_what_has_gone_and_keeps_everything_of_an_empty_prefix(
    room, write, train, at_s3
):
    write(a="red", b="green")
    train()
    at_s3.delete("shop/a.png")
    assert train(prune=True, dry_run=True).removed == 1
    assert train(prune=True).removed == 1
    assert paths(room) == ["b.png"]
    at_s3.delete("shop/b.png")
    job = train(prune=True)
    assert (job.removed, paths(room)) == (0, ["b.png"])
    assert "no file was found" in job.detail


def test_gone_objects_are_looked_up_several_at_a_time(room, write, train, at_s3):
    names = [f"p{number}" for number in range(10)]
    write(kept="red", **dict.fromkeys(names, "green"))
    train()
    for name in names:
        at_s3.delete(f"shop/{name}.png")
    at_s3.requests.clear()
    together = threading.Barrier(5, timeout=WAIT_SECONDS)

    def wait_for_others(environ, start_response):
        if environ["REQUEST_METHOD"] == "HEAD":
            together.wait()

    at_s3.fault = wait_for_others
    train(prune=True)
    assert paths(room) == ["kept.png"]
    lookups = 2 * len(names)  # each as an object and as a folder
    assert len(at_s3.requests) <= lookups + 3  # lists of the walk, and of what the root has


def test_nothing_is_pruned_while_objects_cannot_be_looked_up(room, write, train, at_s3):
    write(a="red", b="green")
    train()
    at_s3.delete("shop/a.png")
    job = room.train(prune=True)
    room.catalogue.jobs.add_files(job.number, list(room.lists().of(job)))
    at_s3.fault = refusing("HEAD")
    with pytest.raises(StorageUnavailable):
        prune(room.catalogue, room.roots, room.job(job), threading.Event())
    assert paths(room) == ["a.png", "b.png"]
    at_s3.fault = None
    room.work()
    assert room.job(job).removed == 1


def test_a_manifest_may_have_whole_addresses(room, write, at_s3):
    write(a="red")
    line = {"path": f"s3://{BUCKET}/shop/a.png"}
    at_s3.put("shop/lists/l.json", json.dumps(line).encode())
    room.manifest_jobs().start(TrainRequest(manifest="lists/l.json", collection="cats"))
    room.work()
    assert paths(room) == ["a.png"]


def test_a_manifest_waits_for_the_storage_instead_of_refusing_its_lines(room, write, at_s3):
    write(Mu="red")
    lines = [{"path": "Mu\u0308.png"}, {"path": "Mu.png"}, {"oops": 1}]
    at_s3.put("shop/l.json", "\n".join(map(json.dumps, lines)).encode())
    job = room.manifest_jobs().start(TrainRequest(manifest="l.json", collection="cats"))
    at_s3.fault = refusing("HEAD")
    with pytest.raises(StorageUnavailable):
        list(room.lists().of(job))
    at_s3.fault = None
    room.work()
    job = room.job(job)
    assert (job.indexed, job.failed) == (1, 2)
