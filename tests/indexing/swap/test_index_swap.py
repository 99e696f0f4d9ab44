"""Swaps of an index for another one, in a real Milvus server."""

import subprocess
import sys
import threading
from pathlib import Path

from bento_service.gallery.index_types import IndexType
from bento_service.indexing import index_swap
from tests.indexing.swap.swapping import DIMENSION, add, exact, ids_of, random_units
from tests.support.processes import child
from tests.support.waiting import running, wait_until

PROJECT = Path(__file__).parents[3]


def test_a_collection_that_outgrows_its_index_gets_another_without_failed_searches(make_indexed):
    vectors = random_units(2000, seed=2)
    indexed = make_indexed(vectors[:1400])
    failures, stop = [], threading.Event()

    def search_on():
        number = 0
        while not stop.is_set():
            number = (number + 1) % 1400
            try:
                (best,) = ids_of(indexed.search(vectors[number], top_k=1))
            except Exception as error:  # noqa: BLE001 - whatever it is, it is a failure
                failures.append(error)
            else:
                if best != number + 1:
                    failures.append((number + 1, best))

    with indexed.following(max_flat=1500) as replay:
        wait_until(lambda: indexed.is_settled(replay, IndexType.FLAT))
        before = indexed.index.name
        with running(threading.Thread(target=search_on), stop=stop.set):
            add(indexed.catalogue, indexed.cats, vectors[1400:], 1401)
            indexed.catalogue.images.delete(indexed.cats.id, [1500, 1501])
            replay.wake()
            wait_until(lambda: indexed.is_settled(replay, IndexType.HNSW))
            wait_until(lambda: before not in indexed.gallery.names())

    assert failures == []
    assert indexed.gallery.ids(indexed.index.name) == set(range(1, 2001)) - {1500, 1501}
    assert ids_of(indexed.search(vectors[1800], top_k=1)) == [1801]


EXCHANGE = """
import sys
sys.path.insert(0, ".")
from bento_service.catalogue import Catalogue
from bento_service.gallery.milvus_gallery import MilvusGallery
from bento_service.gallery.index_types import IndexRule
from bento_service.indexing.index_swap import IndexSwap
from bento_service.indexing.replay import Replay
url, uri = sys.argv[1:]
catalogue, gallery = Catalogue.open(url), MilvusGallery(uri)
rule = IndexRule("ivf_sq8", embedded=False)
swap = IndexSwap(catalogue, gallery, rule, changes_per_step=100, steps_per_turn=1)
with Replay(catalogue, gallery, on_purged=lambda digests: None, swap=swap):
    sys.stdin.read()
"""


def test_a_swap_continues_after_a_kill_at_every_stage(make_indexed, milvus_server):
    vectors = random_units(1500, seed=3)
    indexed = make_indexed(vectors[:100])
    for at in range(100, 1500, 100):  # each in a revision of its own
        add(indexed.catalogue, indexed.cats, vectors[at : at + 100], at + 1)
    indexed.bring_to(IndexType.FLAT)
    url, first = str(indexed.catalogue.database._engine.url), indexed.index.name
    stages = (
        lambda index: index.replacement is not None,
        lambda index: index.replacement is not None and index.replacement.applied > 0,
        lambda index: index.replacement is not None and index.replacement.applied > 12,
        lambda index: index.name != first,
    )
    for number, reached in enumerate(stages, start=1):
        command = [sys.executable, "-c", EXCHANGE, url, milvus_server.uri]
        with child(command, cwd=PROJECT, stdin=subprocess.PIPE):
            # A fast machine may be past this stage before it is asked.
            wait_until(
                lambda reached=reached: reached(indexed.index) or indexed.index.name != first
            )
        assert ids_of(indexed.search(vectors[700], top_k=1)) == [701]
        indexed.catalogue.images.delete(indexed.cats.id, [number])
    with indexed.following("ivf_sq8") as replay:
        wait_until(lambda: indexed.is_settled(replay, IndexType.IVF_SQ8))
        prefix = indexed.index.name.rpartition("_")[0]
        wait_until(
            lambda: (
                [name for name in indexed.gallery.names() if name.startswith(prefix)]
                == [indexed.index.name]
            )
        )

    assert indexed.gallery.ids(indexed.index.name) == set(range(5, 1501))
    wanted = exact(vectors[4:], vectors[900])[:5] + 5
    assert ids_of(indexed.search(vectors[900], top_k=5)) == wanted.tolist()


def test_a_swap_that_is_no_longer_wanted_is_given_up(make_indexed):
    indexed = make_indexed(random_units(10, seed=4))
    indexed.bring_to(IndexType.FLAT)
    indexed.catalogue.replacements.begin(indexed.index, "HNSW")
    replacement = indexed.index.replacement.name
    indexed.gallery.prepare(replacement, DIMENSION)
    indexed.bring_to(IndexType.FLAT)
    assert replacement not in indexed.gallery.names()


def test_a_replacement_with_a_defect_is_built_again(make_indexed, monkeypatch, caplog):
    problems = iter(["image 3 does not find itself in the new index"])
    monkeypatch.setattr(index_swap, "defect", lambda *_: next(problems, None))
    indexed = make_indexed(random_units(10, seed=6))
    indexed.bring_to(IndexType.HNSW)
    assert "image 3 does not find itself in the new index; searches go on" in caplog.text


def test_tombstones_stay_until_the_replacement_has_applied_them(make_indexed):
    indexed = make_indexed(random_units(10, seed=5))
    indexed.bring_to(IndexType.FLAT)
    indexed.catalogue.replacements.begin(indexed.index, "HNSW")
    indexed.catalogue.replacements.set_applied(indexed.index.replacement, indexed.index.revision)
    indexed.catalogue.images.delete(indexed.cats.id, [3])
    indexed.catalogue.indexes.set_applied(indexed.index.id, indexed.index.revision)
    indexed.catalogue.images.purge(indexed.cats.id)
    changes = indexed.catalogue.changes.page(indexed.index.id, after=(0, 0), limit=100)
    assert [one.image_id for one in changes if one.deleted] == [3]
