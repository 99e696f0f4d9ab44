"""Indexes that are missing, wrong, or in use, and hosts that do not answer."""

import socket
import threading
import time

import numpy as np
import pytest
from milvus_lite.engine import collection

from bento_service.errors import IndexUnavailable
from bento_service.gallery.milvus_gallery import MilvusGallery
from tests.gallery.finding import DIMENSION, found_ids
from tests.support.processes import refusing_port
from tests.support.waiting import WAIT_SECONDS, join, run_threads


def test_an_index_that_is_not_there_is_unavailable(gallery, unit_vectors):
    (vector,) = unit_vectors(1)
    for act in (
        lambda: gallery.search("nowhere", vector, top_k=1),
        lambda: gallery.upsert("nowhere", [1], [vector]),
        lambda: gallery.delete("nowhere", [1]),
        lambda: gallery.ids("nowhere"),
    ):
        with pytest.raises(IndexUnavailable, match="nothing is lost"):
            act()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_descriptor_of_another_size_is_refused(gallery, index):
    with pytest.raises(IndexUnavailable):
        gallery.upsert(index, [1], [np.zeros(DIMENSION + 1, np.float32)])


def every_call(gallery, vector):
    return (
        lambda: gallery.open("cats", DIMENSION),
        lambda: gallery.search("cats", vector, top_k=1),
        lambda: gallery.upsert("cats", [1], [vector]),
        lambda: gallery.delete("cats", [1]),
        lambda: gallery.flush("cats"),
        lambda: gallery.ids("cats"),
        lambda: gallery.drop("cats"),
        gallery.names,
    )


def test_every_call_fails_at_once_if_nothing_listens(unit_vectors):
    with (
        refusing_port() as port,
        MilvusGallery(f"http://127.0.0.1:{port}", connect_seconds=WAIT_SECONDS) as gallery,
    ):
        began = time.monotonic()
        for act in every_call(gallery, unit_vectors(1)[0]):
            with pytest.raises(IndexUnavailable):
                act()
        assert time.monotonic() - began < WAIT_SECONDS


def test_only_one_thread_waits_for_a_silent_host(unit_vectors):
    waited = []

    def search(gallery):
        began = time.monotonic()
        with pytest.raises(IndexUnavailable):
            gallery.search("cats", unit_vectors(1)[0], top_k=1)
        waited.append(time.monotonic() - began)

    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(20)
        uri = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with MilvusGallery(uri, connect_seconds=2.0) as gallery:
            threads = [threading.Thread(target=search, args=(gallery,)) for _ in range(20)]
            run_threads(*threads)
    assert len(waited) == 20
    assert max(waited) < 19 * 2.0  # one after the other would be twenty times as long


def test_milvus_is_found_again_when_it_comes_back(tmp_path):
    blocked = tmp_path / "not_yet"
    blocked.write_text("a file where the folder should be")
    with MilvusGallery(str(blocked / "milvus.db")) as late:
        with pytest.raises(IndexUnavailable):
            late.names()
        blocked.unlink()
        time.sleep(0.6)  # it does not try again and again at once
        assert late.names() == []


def test_a_folder_that_another_process_uses_is_unavailable(script, milvus_folder, lite):
    lite.names()
    second = script(
        milvus_folder,
        """
        from bento_service.errors import IndexUnavailable
        try:
            gallery.names()
        except IndexUnavailable:
            print("unavailable")
        """,
    )
    assert second.communicate(timeout=60)[0] == "unavailable\n"


@pytest.mark.parametrize("move", ["flush", "upsert"])
def test_a_search_sees_all_rows_while_milvus_lite_moves_them(lite, unit_vectors, monkeypatch, move):
    """Milvus Lite takes rows out of memory before it blocks searches that would miss them."""
    lite.open("moved", DIMENSION)
    lite.upsert("moved", range(5), unit_vectors(5))
    began, next_log = threading.Event(), collection.WAL

    def slowly(**given):
        began.set()
        time.sleep(0.5)
        return next_log(**given)

    monkeypatch.setattr(collection, "WAL", slowly)
    if move == "upsert":  # one that finds its memory full
        monkeypatch.setattr(collection, "MEMTABLE_MEMORY_LIMIT", 0)
        mover = threading.Thread(target=lite.upsert, args=("moved", [5], unit_vectors(1, seed=1)))
    else:
        mover = threading.Thread(target=lite.flush, args=("moved",))
    mover.start()
    assert began.wait(WAIT_SECONDS)
    found = found_ids(lite, "moved", unit_vectors(1, seed=2)[0])
    join(mover)
    assert set(range(5)) <= set(found)
    lite.drop("moved")
