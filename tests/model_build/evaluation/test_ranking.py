import itertools

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from model_build.evaluation.ranking import (
    average_precision,
    cosine_scores,
    ranks_of_relevant,
    recall_at,
)

# Few different values, so that there are ties.
SCORES = st.sampled_from([-1.0, 0.0, 0.25, 0.5, 1.0])
RANKED = st.lists(st.tuples(SCORES, st.booleans()), min_size=1, max_size=7)
FEW_RANKED = st.lists(st.tuples(SCORES, st.booleans()), min_size=1, max_size=5)


def split(ranked):
    scores, relevant = zip(*ranked, strict=True)
    return np.array(scores, np.float32), np.array(relevant, np.bool_)


def ap(scores, relevant):
    ranks = ranks_of_relevant(np.array(scores, np.float32), np.array(relevant, np.bool_))
    return average_precision(ranks)


def textbook_ap(order):
    """The sum of precision at k over all k that hold a relevant one, by its number of them."""
    precisions = [sum(order[: k + 1]) / (k + 1) for k in range(len(order)) if order[k]]
    return sum(precisions) / len(precisions)


# Ranks


def test_the_best_score_is_rank_one():
    scores = np.array([0.1, 0.9, 0.5, 0.7], np.float32)
    ranks = ranks_of_relevant(scores, np.array([True, False, False, True]))
    np.testing.assert_array_equal(ranks, [2, 4])


def test_among_equal_scores_the_relevant_ones_come_last():
    scores = np.array([0.5, 0.5, 0.5, 0.9, 0.1], np.float32)
    ranks = ranks_of_relevant(scores, np.array([True, False, True, False, True]))
    np.testing.assert_array_equal(ranks, [3, 4, 5])


def test_without_a_relevant_picture_there_are_no_ranks():
    assert ranks_of_relevant(np.array([0.5], np.float32), np.array([False])).size == 0


@given(FEW_RANKED)
def test_no_way_to_break_ties_is_worse_than_ours(ranked):
    scores, relevant = split(ranked)
    assume(relevant.any())
    possible = [
        textbook_ap(relevant[list(order)])
        for order in itertools.permutations(range(len(scores)))
        if (np.diff(scores[list(order)]) <= 0).all()
    ]
    assert ap(scores, relevant) == pytest.approx(min(possible))


@given(RANKED, st.randoms(use_true_random=False))
def test_the_order_in_which_pictures_are_listed_does_not_matter(ranked, random):
    shuffled = list(ranked)
    random.shuffle(shuffled)
    np.testing.assert_array_equal(
        ranks_of_relevant(*split(ranked)), ranks_of_relevant(*split(shuffled))
    )


# Average precision


@pytest.mark.parametrize(
    ("ranks", "expected"),
    [
        ([1], 1.0),
        ([4], 1 / 4),
        ([1, 2, 3], 1.0),
        ([1, 3], (1 / 1 + 2 / 3) / 2),
        ([2, 3, 6], (1 / 2 + 2 / 3 + 3 / 6) / 3),
        ([1, 3, 6, 9, 10], (1 / 1 + 2 / 3 + 3 / 6 + 4 / 9 + 5 / 10) / 5),
    ],
)
def test_average_precision_is_the_mean_of_the_precisions_at_the_relevant_ones(ranks, expected):
    assert average_precision(np.array(ranks)) == pytest.approx(expected, abs=1e-12)


def test_equal_scores_for_all_earn_the_worst_average_precision():
    # The one relevant picture of ten comes last.
    assert ap([0.7] * 10, [True] + [False] * 9) == pytest.approx(1 / 10)


@given(RANKED)
def test_average_precision_is_one_exactly_when_the_relevant_ones_are_ahead_of_all_others(ranked):
    scores, relevant = split(ranked)
    assume(relevant.any())
    value = ap(scores, relevant)
    others = scores[~relevant]
    assert 0 < value <= 1
    assert (value == 1) == (not others.size or scores[relevant].min() > others.max())


@given(RANKED, st.data())
def test_a_better_score_of_a_relevant_picture_never_costs(ranked, data):
    scores, relevant = split(ranked)
    assume(relevant.any())
    lifted = scores.copy()
    lifted[data.draw(st.sampled_from(np.flatnonzero(relevant).tolist()))] += np.float32(0.25)
    assert ap(lifted, relevant) >= ap(scores, relevant) - 1e-12


# Recall


def test_recall_asks_whether_any_relevant_one_is_among_the_first():
    ranks = np.array([3, 11])
    assert [recall_at(ranks, k) for k in (1, 2, 3, 10)] == [0.0, 0.0, 1.0, 1.0]


@given(st.sets(st.integers(1, 30), min_size=1), st.integers(1, 29))
def test_recall_does_not_fall_with_k(ranks, k):
    places = np.array(sorted(ranks))
    assert recall_at(places, k) <= recall_at(places, k + 1)


# Scores


def test_scores_are_the_cosines_of_unit_vectors():
    queries = np.array([[1, 0], [0.6, 0.8]], np.float32)
    gallery = np.array([[1, 0], [0, 1], [-0.6, -0.8]], np.float32)
    np.testing.assert_allclose(
        cosine_scores(queries, gallery), [[1, 0, -0.6], [0.6, 0.8, -1]], atol=1e-6
    )
    assert cosine_scores(queries, gallery).dtype == np.float32


@given(
    arrays(np.float32, (3, 33), elements=st.floats(-1, 1, width=32)),
    arrays(np.float32, (1, 33), elements=st.floats(-1, 1, width=32)),
    st.integers(2, 40),
)
def test_equal_descriptors_get_equal_scores_wherever_they_stand(queries, descriptor, number):
    scores = cosine_scores(queries, np.repeat(descriptor, number, axis=0))
    assert (scores == scores[:, :1]).all()


def test_equal_descriptors_get_equal_scores_in_large_galleries_of_long_descriptors():
    drawn = np.random.default_rng(0)
    for number in range(2, 70):
        gallery = drawn.standard_normal((number, 512)).astype(np.float32)
        gallery[-1] = gallery[0]
        scores = cosine_scores(drawn.standard_normal((3, 512)).astype(np.float32), gallery)
        np.testing.assert_array_equal(scores[:, 0], scores[:, -1])
