import numpy as np
import pytest

from benchmarks import descriptors, index
from benchmarks.index_targets import Row


@pytest.fixture
def seeds():
    vectors = np.random.default_rng(0).standard_normal((20, 16))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def grown(seeds, count, seed):
    return np.concatenate(list(descriptors.blocks(seeds, count, seed=seed)))


def test_grown_descriptors_are_unit_vectors_and_the_same_for_the_same_seed(seeds, monkeypatch):
    monkeypatch.setattr(descriptors, "_BLOCK", 30)
    one, again, other = (grown(seeds, 100, seed) for seed in (1, 1, 2))
    assert one.shape == (100, 16)
    assert np.allclose(np.linalg.norm(one, axis=1), 1, atol=1e-6)
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)
    assert len(np.unique(one, axis=0)) == 100


def test_grown_descriptors_lie_near_real_ones(seeds):
    nearest = (grown(seeds, 200, 3) @ seeds.T).max(axis=1)
    by_chance = np.random.default_rng(4).standard_normal((200, 16))
    by_chance /= np.linalg.norm(by_chance, axis=1, keepdims=True)
    assert np.median(nearest) > np.median((by_chance @ seeds.T).max(axis=1)) + 0.1


def test_the_truth_is_the_same_in_parts_and_at_once(seeds, monkeypatch):
    base, queries = grown(seeds, 500, 5), grown(seeds, 7, 6)
    monkeypatch.setattr(index, "_PART", 60)
    cosines = queries.astype(np.float64) @ base.astype(np.float64).T
    assert np.array_equal(index._nearest(base, queries), np.argsort(-cosines)[:, :10])


def row(target, size, p50, recall):
    return Row(target, size, 1.0, 1.0, p50, p50, recall, 1.0, 1.0)


def test_the_rule_prefers_exact_search_then_the_fastest_that_is_right():
    rows = [
        row("server, FLAT", 10, 9.0, 1.0),
        row("server, HNSW 128", 10, 2.0, 1.0),
        row("server, FLAT", 100, 50.0, 1.0),
        row("server, HNSW 128", 100, 2.0, 0.98),
        row("server, HNSW 256", 100, 4.0, 0.995),
        row("server, FLAT", 1000, 500.0, 1.0),
        row("server, HNSW 256", 1000, 20.0, 0.99),
        row("numpy, exact", 1000, 0.1, 1.0),
    ]
    assert index._rule(rows) == [
        "at 10: server, FLAT, p50 9.0 ms",
        "at 100: server, HNSW 256, p50 4.0 ms",
        "at 1,000: server, HNSW 256, p50 20.0 ms, above 10",
    ]
