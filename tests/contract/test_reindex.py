"""Collections of other descriptors, and bringing them from one to another while they are searched.

The real client against real servers; expected scores come from collections that were trained by the
descriptor in question from the beginning.
"""

import shutil
import signal
import threading

import pytest
from PIL import Image, ImageEnhance

from client_sdk import Client, Conflict, InvalidArgument
from client_sdk.schemas import JobState
from tests.support.waiting import join, wait_until

STEPS = 12  # so many that a reindex on a fast machine can be killed in the middle
NAMES = ("astronaut.jpg", "chelsea.jpg", "coffee.jpg", "rocket.jpg", "coins.jpg", "ihc.jpg")


def ranking(client, picture, collection):
    """Names and scores of the hits, best first."""
    hits = client.search(picture, collection=collection).hits
    return [(hit.name, hit.score) for hit in hits]


def assert_same(ranked, expected):
    assert [name for name, _ in ranked] == [name for name, _ in expected]
    assert [score for _, score in ranked] == pytest.approx([s for _, s in expected], abs=1e-4)


def ids(client, collection):
    return {image.name: image.id for image in client.images(collection=collection)}


def of(client, name):
    return next(one for one in client.collections() if one.name == name)


class Searching:
    """Searches without a pause in a thread of its own, and keeps what it saw."""

    def __init__(self, url, picture, collection):
        self.best, self.failures = [], []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(url, picture, collection))

    def _run(self, url, picture, collection):
        with Client(url, timeout=60) as client:
            while not self._stop.is_set():
                try:
                    found = client.search(picture, collection=collection, explain=True)
                except Exception as error:  # noqa: BLE001 - raised in the test's own thread
                    self.failures.append(error)
                else:
                    used = found.explanation["descriptor"]
                    self.best.append((found.hits[0].name, found.hits[0].score > 0.999, used))

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        join(self._thread)


@pytest.fixture
def named(client):
    """Make a collection by a descriptor, and train the photographs into it."""
    made = []

    def make(name, descriptor, pictures=()):
        collection = client.create_collection(name, descriptor)
        made.append(name)
        if pictures:
            client.upload(list(pictures), collection=name).wait()
        return collection

    yield make
    for name in made:
        client.collection(name).delete()


def test_a_collection_says_what_describes_it(client, named):
    made = {name: named(f"by-{name}", name) for name in ("vgg16-mac", "vgg16-rgem", "vgg16-rmac4")}
    assert {name: one.dimension for name, one in made.items()} == {
        "vgg16-mac": 512,
        "vgg16-rgem": 512,
        "vgg16-rmac4": 1024,
    }
    assert {name: one.descriptor for name, one in made.items()} == {name: name for name in made}
    assert len({one.fingerprint for one in made.values()}) == 3
    assert {one.precision for one in made.values()} == {client.info().precision}
    assert made["vgg16-rmac4"].fingerprint == client.info().fingerprint


def test_an_unknown_descriptor_is_rejected_with_the_known_ones(client):
    with pytest.raises(InvalidArgument, match="vgg16-rmac4, vgg16-mac, vgg16-rgem"):
        client.create_collection("never", "vgg19")
    with pytest.raises(InvalidArgument, match="no 'vgg19'"):
        client.collection("default").reindex("vgg19")


def test_a_reindex_changes_the_scores_and_nothing_else_and_no_search_fails(
    client, server, named, photographs
):
    pictures = [photographs / name for name in NAMES]
    named("as-mac", "vgg16-mac", pictures)
    named("as-rmac4", "vgg16-rmac4", pictures)
    query = photographs / "coffee.jpg"
    by_mac, by_rmac4 = (ranking(client, query, name) for name in ("as-mac", "as-rmac4"))
    assert abs(by_mac[1][1] - by_rmac4[1][1]) > 0.01  # the two differ
    before, metadata = ids(client, "as-mac"), {"kept": True}
    job = client.upload(pictures[:1], collection="as-mac", metadata=metadata)  # only a source
    job.wait()

    with Searching(server.url, query, "as-mac") as searching:
        job = client.collection("as-mac").reindex("vgg16-rmac4")
        assert job.source == "reindex to vgg16-rmac4"
        done = job.wait()
        seen = len(searching.best)
        wait_until(lambda: len(searching.best) >= seen + 3 or searching.failures)

    assert (done.state, done.total, done.indexed, done.failed) == (JobState.COMPLETED, 6, 6, 0)
    assert searching.failures == []
    assert {(name, sure) for name, sure, _ in searching.best} == {("coffee.jpg", True)}
    used = [descriptor for _, _, descriptor in searching.best]
    assert used == sorted(used)  # first by vgg16-mac, then by vgg16-rmac4, never back
    assert (used[0], used[-1]) == ("vgg16-mac", "vgg16-rmac4")
    assert ids(client, "as-mac") == before
    assert_same(ranking(client, query, "as-mac"), by_rmac4)
    now = of(client, "as-mac")
    assert (now.descriptor, now.dimension, now.former, now.preparing, now.count) == (
        "vgg16-rmac4",
        1024,
        "vgg16-mac",
        None,
        6,
    )

    undone = client.collection("as-mac").undo_reindex()
    assert (undone.descriptor, undone.former) == ("vgg16-mac", "vgg16-rmac4")
    assert_same(ranking(client, query, "as-mac"), by_mac)
    client.collection("as-mac").forget_reindex()
    with pytest.raises(Conflict, match="no former version"):
        client.collection("as-mac").undo_reindex()


def test_changes_after_a_reindex_are_right_after_an_undo(client, named, photographs):
    pictures = [photographs / name for name in NAMES]
    named("moving", "vgg16-mac", pictures[:3])
    client.collection("moving").reindex("vgg16-rgem").wait()
    client.upload(pictures[3:], collection="moving").wait()
    client.delete(ids(client, "moving")["chelsea.jpg"], collection="moving")

    client.collection("moving").undo_reindex()

    named("expected", "vgg16-mac", [path for path in pictures if path.name != "chelsea.jpg"])
    query = photographs / "rocket.jpg"
    assert_same(ranking(client, query, "moving"), ranking(client, query, "expected"))


def test_images_whose_originals_are_gone_are_named_and_keep_the_collection_as_it_is(
    client, named, folder, photographs
):
    shutil.copytree(photographs, folder / "six")
    named("files", "vgg16-mac")
    client.train(folder, collection="files").wait()
    (folder / "six" / "coins.jpg").unlink()
    (folder / "six" / "ihc.jpg").write_bytes(b"changed")

    kept = client.collection("files").reindex("vgg16-rmac4").wait()

    assert (kept.state, kept.indexed, kept.failed) == (JobState.COMPLETED, 4, 2)
    assert "2 images could not be described" in kept.detail
    assert {(e.code, e.source.rsplit("/", 1)[-1]) for e in kept.errors} == {
        ("path_not_found", "coins.jpg"),
        ("path_not_found", "ihc.jpg"),
    }
    now = of(client, "files")
    assert (now.descriptor, now.preparing, now.count) == ("vgg16-mac", "vgg16-rmac4", 6)
    assert ranking(client, photographs / "coins.jpg", "files")[0][0] == "coins.jpg"

    shutil.copy(photographs / "coins.jpg", folder / "six")
    again = client.collection("files").reindex("vgg16-rmac4").wait()
    assert (again.total, again.indexed, again.failed) == (2, 1, 1)
    dropped = client.collection("files").reindex("vgg16-rmac4", drop_missing=True).wait()
    assert "1 images that could not be described are deleted" in dropped.detail
    now = of(client, "files")
    assert (now.descriptor, now.preparing, now.count) == ("vgg16-rmac4", None, 5)
    assert "ihc.jpg" not in ids(client, "files")


def test_the_same_again_is_a_conflict_and_no_name_means_the_services_choice(
    client, http, named, photographs
):
    named("twice", "vgg16-mac", [photographs / "coffee.jpg"])
    with pytest.raises(Conflict, match=r"holds vgg16-mac in \w+ already"):
        client.collection("twice").reindex("vgg16-mac")
    job = http.post("/api/v2/collections/twice/reindex").json()  # nothing said
    client.job(job["id"]).wait()
    assert of(client, "twice").descriptor == client.info().descriptor


def test_another_precisions_collection_is_refused_with_both_ways_out(new_server, photographs):
    pictures = [photographs / name for name in NAMES[:3]]
    server = new_server(LOOKALIKE_PRECISION="fp32").start()
    with Client(server.url, timeout=60) as client:
        client.upload(pictures).wait()
        before = ranking(client, pictures[0], "default")
        images = ids(client, "default")
    server.tell(signal.SIGTERM)

    server.environment["LOOKALIKE_PRECISION"] = "int8"
    server.start()
    with Client(server.url, timeout=60) as client:
        for refused in (
            lambda: client.search(pictures[0]),
            lambda: client.search(images["coffee.jpg"]),
            lambda: client.upload(pictures),
        ):
            with pytest.raises(Conflict) as caught:
                refused()
            message = str(caught.value)
            assert "holds vgg16-rmac4 in fp32" in message
            assert "the service computes vgg16-rmac4, vgg16-mac, vgg16-rgem in int8" in message
            assert "POST /api/v2/collections/default/reindex" in message
            assert "LOOKALIKE_PRECISION=fp32" in message
        assert client.count() == 3

        client.collection("default").reindex().wait()

        assert ids(client, "default") == images
        after = ranking(client, pictures[0], "default")
        assert [name for name, _ in after] == [name for name, _ in before]
        assert after[0][1] > 0.999
        differences = [abs(a - b) for (_, a), (_, b) in zip(before, after, strict=True)]
        assert max(differences) < 0.03  # 8 bits
        assert (of(client, "default").precision, of(client, "default").former) == (
            "int8",
            "vgg16-rmac4",
        )
        client.upload([photographs / "coins.jpg"]).wait()
        with pytest.raises(Conflict, match="1 images came to 'default' since it held"):
            client.collection("default").undo_reindex()
    server.stop()


@pytest.fixture
def pictures(photographs, tmp_path):
    """Different pictures: each of the photographs in several degrees of brightness."""
    for name in NAMES:
        with Image.open(photographs / name) as photograph:
            for step in range(STEPS):
                edited = ImageEnhance.Brightness(photograph).enhance(0.5 + 0.06 * step)
                edited.save(tmp_path / f"{step:02}-{name}")
    return sorted(tmp_path.iterdir())


def test_kill_9_in_the_middle_of_a_reindex_loses_nothing_and_it_goes_on(new_server, pictures):
    server = new_server(LOOKALIKE_DESCRIPTOR="vgg16-mac").start()
    with Client(server.url, timeout=60) as client:
        client.upload(pictures).wait()
        before = ids(client, "default")
        job = client.collection("default").reindex("vgg16-rmac4")
        seen = wait_until(lambda: (now := client.job(job)).done and now)
        server.kill()
    assert 0 < seen.done < len(pictures)
    server.start()
    with Client(server.url, timeout=60) as client:
        assert client.job(job).done >= seen.done
        done = client.job(job).wait()
        assert (done.state, done.total, done.indexed, done.failed) == (
            JobState.COMPLETED,
            len(pictures),
            len(pictures),
            0,
        )
        assert ids(client, "default") == before
        assert of(client, "default").descriptor == "vgg16-rmac4"
        for path in pictures[::17]:
            found = ranking(client, path, "default")
            assert found[0][0] == path.name
            assert found[0][1] > 0.999
    server.stop()
