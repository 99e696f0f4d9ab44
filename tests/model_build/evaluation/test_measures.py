from pathlib import Path

import numpy as np
import pytest

from model_build.evaluation import measures
from model_build.evaluation.measures import (
    Answers,
    answers,
    estimates,
    robustness,
    scores_of_questions,
)
from model_build.evaluation.protocol import Picture, Protocol, Question

ANGLES = np.radians([0, 10, 25, 60, 90])
FAN = np.stack([np.cos(ANGLES), np.sin(ANGLES)], axis=1).astype(np.float32)
"""Five directions: nearer in angle is larger in score."""


def question(query, relevant, left_out=(), unit=0, edit=""):
    return Question(query, frozenset(relevant), frozenset(left_out), unit, edit)


def protocol(*questions, gallery=(0, 1, 2, 3, 4), pictures=5):
    return Protocol(
        "test", tuple(Picture(Path(f"{n}")) for n in range(pictures)), gallery, questions, 0
    )


def test_every_question_is_answered_by_the_angles():
    # From 0 degrees the others come as 10, 25, 60, 90: places 1 and 3 are relevant, at 1 and 3.
    # From 90 degrees they come as 60, 25, 10, 0: places 0 and 1 are relevant, at 3 and 4.
    found = answers(protocol(question(0, {1, 3}, {0}), question(4, {0, 1}, {4})), FAN)
    np.testing.assert_allclose(
        found.measures["mean_average_precision"],
        [(1 / 1 + 2 / 3) / 2, (1 / 3 + 2 / 4) / 2],
    )
    np.testing.assert_array_equal(found.measures["recall_at_1"], [1, 0])
    np.testing.assert_array_equal(found.measures["recall_at_10"], [1, 1])
    np.testing.assert_allclose(found.scores, np.cos(np.radians([10, 80])), atol=1e-6)


def test_pictures_that_are_left_out_take_no_place():
    # From 0 degrees, without 10 and 25, 60 degrees comes first.
    (value,) = answers(protocol(question(0, {3}, {0, 1, 2})), FAN).measures["recall_at_1"]
    assert value == 1
    (value,) = answers(protocol(question(0, {3}, {0})), FAN).measures["mean_average_precision"]
    assert value == pytest.approx(1 / 3)


def test_a_query_that_is_not_left_out_comes_first_itself():
    (value,) = answers(protocol(question(0, {1})), FAN).measures["mean_average_precision"]
    assert value == 1 / 2


def test_only_the_gallery_is_searched_in_whatever_order_it_is():
    asked = protocol(question(4, {0}), gallery=(2, 0))
    (value,) = answers(asked, FAN).measures["mean_average_precision"]
    assert value == 1 / 2


def test_recall_at_10_looks_no_further_than_the_tenth():
    angles = np.radians(np.arange(13) * 5)
    fan = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    tenth, eleventh = question(0, {10}, {0}), question(0, {11}, {0})
    asked = protocol(tenth, eleventh, gallery=tuple(range(13)), pictures=13)
    np.testing.assert_array_equal(answers(asked, fan).measures["recall_at_10"], [1, 0])


def test_questions_are_scored_in_parts_of_the_same_result():
    asked = protocol(*(question(n, {(n + 1) % 5}, {n}) for n in range(5)))
    whole, parts = scores_of_questions(asked, FAN), scores_of_questions(asked, FAN, at_once=2)
    for (question_of_whole, scores), (question_of_part, same) in zip(whole, parts, strict=True):
        assert question_of_part == question_of_whole
        np.testing.assert_array_equal(same, scores)


def test_estimates_are_the_means():
    asked = protocol(question(0, {1, 3}, {0}, unit=0), question(4, {0, 1}, {4}, unit=1))
    found = estimates(asked, answers(asked, FAN))
    assert found["mean_average_precision"].value == pytest.approx((5 / 6 + 5 / 12) / 2)
    assert found["recall_at_1"].value == 0.5
    assert (found["recall_at_1"].low, found["recall_at_1"].high) == (0, 1)


def test_differences_are_paired():
    """The first descriptor is 0.1 better on every query, however much these differ."""
    asked = protocol(*(question(n, {(n + 1) % 5}, {n}, unit=n) for n in range(5)))
    hard = np.array([0.1, 0.9, 0.3, 0.5, 0.7])
    of = [
        Answers(dict.fromkeys(measures.MEASURES, values), np.zeros(5, np.float32))
        for values in (hard + 0.1, hard)
    ]
    for estimate in estimates(asked, *of).values():
        assert (estimate.value, estimate.low, estimate.high) == pytest.approx((0.1, 0.1, 0.1))
        assert estimate.excludes_zero


def test_each_edit_has_the_robustness_of_its_own_copies():
    asked = protocol(
        question(0, {1}, edit="flip"),
        question(1, {1}, edit="blur"),
        question(2, {1}, edit="flip"),
        question(3, {1}, edit="blur"),
        question(4, {1}, edit="flip"),
    )
    first = np.array([1.0, 1, 0, 1, 0])
    scores = np.array([0.9, 0.6, 0.5, 0.8, 0.1], np.float32)
    flip, blur = robustness(asked, Answers({"recall_at_1": first}, scores))
    assert (flip.edit, flip.recall_at_1) == ("flip", pytest.approx(1 / 3))
    assert flip.median_score == pytest.approx(0.5)
    assert (blur.edit, blur.recall_at_1) == ("blur", 1)
    assert blur.median_score == pytest.approx(0.7)


def test_without_edits_there_is_no_robustness():
    asked = protocol(question(0, {1}))
    assert robustness(asked, answers(asked, FAN)) == ()
