from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bento_service.gallery.milvus_gallery import MilvusGallery
from model_build.evaluation.index import index_recalls, recall_of_found
from model_build.evaluation.protocol import Picture, Protocol, Question

ALL = np.ones(6, np.bool_)
SCORES = np.array([0.9, 0.8, 0.7, 0.6, 0.5, 0.4], np.float32)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ([0, 1, 2], 1),
        ([2, 0, 1], 1),
        ([0, 1, 3], 2 / 3),
        ([3, 4, 5], 0),
        ([0], 1 / 3),
        ([], 0),
        ([3, 0, 1, 2], 2 / 3),  # what comes fourth is too late
    ],
)
def test_recall_is_the_share_of_the_best_that_was_found(found, expected):
    assert recall_of_found(SCORES, ALL, found, k=3) == pytest.approx(expected)


def test_any_picture_as_good_as_the_last_wanted_one_will_do():
    scores = np.array([0.9, 0.5, 0.5, 0.5, 0.1, 0.0], np.float32)
    assert recall_of_found(scores, ALL, [0, 3], k=2) == 1
    assert recall_of_found(scores, ALL, [0, 4], k=2) == 1 / 2


def test_pictures_that_are_left_out_are_not_wanted():
    ranked = np.array([False, True, True, True, True, True])
    assert recall_of_found(SCORES, ranked, [1, 2], k=2) == 1


def test_where_fewer_are_ranked_all_of_them_are_wanted():
    assert recall_of_found(SCORES, ALL, [5, 4, 3, 2, 1, 0], k=10) == 1
    assert recall_of_found(SCORES, ALL, [0, 1, 2], k=10) == 1 / 2


@given(st.lists(st.floats(-1, 1, width=32), min_size=1, max_size=20), st.integers(1, 12))
def test_exact_search_has_a_recall_of_one(values, k):
    scores = np.array(values, np.float32)
    best = np.argsort(-scores)[:k].tolist()
    assert recall_of_found(scores, np.ones(len(scores), np.bool_), best, k=k) == 1


def unit_vectors(number, dimension):
    drawn = np.random.default_rng(dimension).standard_normal((number, dimension))
    return (drawn / np.linalg.norm(drawn, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture
def asked():
    """Forty pictures, of which every third is not searched; each leaves itself and two out."""
    gallery = tuple(place for place in range(40) if place % 3)
    questions = tuple(
        Question(place, frozenset({(place + 4) % 40}), frozenset({place, 1, 2}), place)
        for place in range(0, 40, 5)
    )
    return Protocol(
        "test", tuple(Picture(Path(f"{n}")) for n in range(40)), gallery, questions, skipped=0
    )


def test_the_real_index_returns_what_exact_search_returns(asked):
    found = index_recalls(asked, {"a": unit_vectors(40, 8), "b": unit_vectors(40, 24)})
    assert found == {"a": 1.0, "b": 1.0}


def test_an_index_that_misses_a_picture_is_found_out(asked, monkeypatch):
    """The best of each of eight queries is taken from the index before the searches."""
    vectors = unit_vectors(40, 8)
    allowed = [place for place in asked.gallery if place not in (1, 2)]
    expected = []
    lost = set()
    for question in asked.questions:
        others = [place for place in allowed if place != question.query]
        order = sorted(others, key=lambda place: -float(vectors[place] @ vectors[question.query]))
        lost.add(asked.gallery.index(order[0]))
        expected.append(order[:10])
    flushed = MilvusGallery.flush

    def losing(gallery, name):
        flushed(gallery, name)
        gallery.delete(name, sorted(lost))

    monkeypatch.setattr(MilvusGallery, "flush", losing)
    missing = {asked.gallery[column] for column in lost}
    kept = [1 - len(missing & set(best)) / 10 for best in expected]
    assert index_recalls(asked, {"a": vectors})["a"] == pytest.approx(np.mean(kept))
    assert np.mean(kept) < 0.9
