"""Files of Milvus Lite that were damaged while the service was off: replay rebuilds them.

The folders are real ones, the damage is what crashes and disks leave: torn, zeroed, gone.
"""

import logging
import re
import shutil
import time

import pytest
from milvus_lite.adapter.grpc.servicer import MilvusServicer
from pymilvus import MilvusClient

from bento_service.catalogue import Catalogue
from bento_service.gallery.milvus_gallery import MilvusGallery
from tests.indexing.replaying import SPACE, add, assert_equal, catch_up, following, living
from tests.support.waiting import wait_until


def torn(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def zeroed(path):
    path.write_bytes(bytes(path.stat().st_size))


def gone(path):
    path.unlink()


KINDS = [
    "manifest.json",
    "manifest.json*",
    "schema.json",
    "data*.parquet",
    "*.idx",
    "wal_data*",
    "wal_delta*",
    "*",
]


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Return a catalogue of two collections, and a folder of Milvus Lite that holds their indexes.

    Each index has rows in segments, in its log, and a deletion in its log.
    """
    folder = tmp_path_factory.mktemp("written")
    with (
        Catalogue.open(f"sqlite:///{folder}/catalogue.db") as catalogue,
        MilvusGallery(str(folder / "milvus.db")) as gallery,
    ):
        for name in ("cats", "dogs"):
            collection = catalogue.collections.create(name, SPACE)
            ids = add(catalogue, collection, *(f"{name}-{n}" for n in range(20)))
            catch_up(catalogue, gallery)
            catalogue.images.delete(collection.id, ids[:3])
        with following(catalogue, gallery) as replay:  # it flushes when it ends
            for name in ("cats", "dogs"):
                add(catalogue, catalogue.collections.named(name), f"{name}-late")
            replay.wake()
            wait_until(lambda: all(i.applied >= i.revision for i in catalogue.indexes.all()))
            shutil.copytree(folder / "milvus.db", folder / "copy.db")
    return folder


@pytest.fixture
def place(written, tmp_path):
    """Copies that a test may damage."""
    shutil.copy(written / "catalogue.db", tmp_path)
    shutil.copytree(written / "copy.db", tmp_path / "milvus.db")
    return tmp_path


@pytest.fixture
def catalogue(place):
    with Catalogue.open(f"sqlite:///{place}/catalogue.db") as opened:
        yield opened


def files_of(place, kind):
    return [path for path in (place / "milvus.db").rglob(kind) if path.is_file()]


@pytest.mark.parametrize("how", [torn, zeroed, gone], ids=lambda one: one.__name__)
@pytest.mark.parametrize("kind", KINDS)
def test_damaged_files_are_repaired_from_the_catalogue(kind, how, place, catalogue):
    files = files_of(place, kind)
    assert files
    for file in files:
        how(file)
    with MilvusGallery(str(place / "milvus.db")) as gallery:
        catch_up(catalogue, gallery)
        assert len(living(catalogue, catalogue.collections.named("cats"))) == 18
        assert_equal(catalogue, gallery)


def test_damage_to_one_index_does_not_affect_the_other(place, catalogue, caplog):
    """Milvus Lite lists no index if one is damaged; replay does not depend on its list."""
    cats = catalogue.collections.named("cats").index
    for file in files_of(place, "*.idx"):
        if cats.name in str(file):
            torn(file)
    with MilvusGallery(str(place / "milvus.db")) as gallery, caplog.at_level(logging.WARNING):
        catch_up(catalogue, gallery)
        assert_equal(catalogue, gallery)
    assert f"index {cats.name} does not load" in caplog.text
    assert catalogue.collections.named("dogs").index.name not in caplog.text


@pytest.fixture
def slow_at_first(monkeypatch):
    """Make the first call of a method of Milvus Lite's server miss the client's time limit."""

    def make_slow(call, answer):
        asked, answered = getattr(MilvusClient, call), getattr(MilvusServicer, answer)
        limits, pauses = iter([0.2]), iter([1.0])

        def ask(*arguments, timeout, **options):
            return asked(*arguments, timeout=next(limits, timeout), **options)

        def answer_late(*arguments):
            time.sleep(next(pauses, 0.0))
            return answered(*arguments)

        monkeypatch.setattr(MilvusClient, call, ask)
        monkeypatch.setattr(MilvusServicer, answer, answer_late)

    return make_slow


@pytest.mark.parametrize(
    ("call", "answer"), [("__init__", "Connect"), ("load_collection", "LoadCollection")]
)
def test_a_start_that_misses_a_time_limit_is_repeated(
    call, answer, slow_at_first, place, catalogue, caplog
):
    slow_at_first(call, answer)
    with MilvusGallery(str(place / "milvus.db")) as gallery, caplog.at_level(logging.WARNING):
        catch_up(catalogue, gallery)
        assert_equal(catalogue, gallery)
    assert "replay waits: the index does not answer" in caplog.text
    assert not re.search("damaged|rebuilding|lacked", caplog.text)


def test_a_damaged_index_without_a_collection_is_dropped(place, catalogue):
    dogs = catalogue.collections.named("dogs")
    catalogue.collections.delete(dogs.id)
    for kind in ("*.idx", "*.parquet", "manifest.json*", "wal_*"):
        for file in files_of(place, kind):
            if dogs.index.name in str(file):
                torn(file)
    folder = place / "milvus.db" / "collections" / dogs.index.name
    assert folder.exists()
    with MilvusGallery(str(place / "milvus.db")) as gallery, following(catalogue, gallery):
        wait_until(lambda: not folder.exists())


def test_a_half_created_index_is_completed(place, catalogue):
    """A kill left an index's folder without its first file."""
    name = catalogue.collections.named("cats").index.name
    index = place / "milvus.db" / "collections" / name
    shutil.rmtree(index)
    index.mkdir()
    with MilvusGallery(str(place / "milvus.db")) as gallery:
        catch_up(catalogue, gallery)
        assert_equal(catalogue, gallery)


def test_a_deleted_folder_is_rebuilt_with_a_warning(place, catalogue, caplog):
    shutil.rmtree(place / "milvus.db")
    with MilvusGallery(str(place / "milvus.db")) as gallery, caplog.at_level(logging.WARNING):
        catch_up(catalogue, gallery)
        assert_equal(catalogue, gallery)
    assert "index of cats lacked 18 rows" in caplog.text


def test_a_folder_that_is_deleted_under_a_running_service_is_rebuilt(place, catalogue):
    with MilvusGallery(str(place / "milvus.db")) as gallery:
        with following(catalogue, gallery) as replay:
            wait_until(lambda: replay.was_ready)
            shutil.rmtree(place / "milvus.db" / "collections")
            add(catalogue, catalogue.collections.named("cats"), "one more")
            replay.wake()
            wait_until(lambda: all(i.applied >= i.revision for i in catalogue.indexes.all()))
        catch_up(catalogue, gallery)
        assert_equal(catalogue, gallery)
