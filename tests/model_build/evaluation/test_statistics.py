import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model_build.evaluation.statistics import Estimate, bootstrap_mean

VALUES = st.lists(st.floats(-1, 1), min_size=1, max_size=30)


def alone(number):
    return np.arange(number)


def test_two_queries_are_drawn_as_both_either_or_twice_one():
    # The drawn mean is 0 or 1 with a chance of 1/4 each, so both lie within the middle 95 %.
    estimate = bootstrap_mean(np.array([0.0, 1.0]), alone(2))
    assert estimate == Estimate(value=0.5, low=0.0, high=1.0)


def test_the_interval_of_six_queries_excludes_means_rarer_than_one_in_forty():
    # One query of six is 1. It is drawn never with a chance of (5/6)^6 = 33 %, at most 3 times
    # with 99.1 %, at most twice with 93.8 %: the middle 95 % go from 0 to 3 of 6.
    estimate = bootstrap_mean(np.array([1.0, 0, 0, 0, 0, 0]), alone(6))
    assert estimate.value == pytest.approx(1 / 6)
    assert (estimate.low, estimate.high) == (0.0, 0.5)


def test_for_many_queries_the_interval_is_that_of_the_normal_distribution():
    values = np.random.default_rng(1).normal(0.3, 0.2, 900)
    estimate = bootstrap_mean(values, alone(900))
    half = 1.96 * values.std() / 30
    assert estimate.low == pytest.approx(values.mean() - half, abs=0.0008)
    assert estimate.high == pytest.approx(values.mean() + half, abs=0.0008)


@given(st.floats(-1, 1), st.integers(1, 50))
@settings(max_examples=20)
def test_equal_values_leave_nothing_to_chance(value, number):
    estimate = bootstrap_mean(np.full(number, value), alone(number), resamples=50)
    assert (estimate.value, estimate.low, estimate.high) == pytest.approx((value,) * 3, abs=1e-12)


@given(VALUES)
@settings(max_examples=50)
def test_the_interval_lies_between_the_least_and_the_largest_value(values):
    estimate = bootstrap_mean(np.array(values), alone(len(values)), resamples=200)
    assert min(values) - 1e-12 <= estimate.low <= estimate.high <= max(values) + 1e-12


def test_queries_of_one_unit_are_drawn_together():
    values = np.random.default_rng(2).random(40)
    once = bootstrap_mean(values, alone(40))
    # Each query 24 times tells no more than each once, unless it is taken for independent.
    together = bootstrap_mean(np.repeat(values, 24), np.repeat(alone(40), 24))
    apart = bootstrap_mean(np.repeat(values, 24), alone(40 * 24))
    assert (together.low, together.high) == pytest.approx((once.low, once.high))
    assert apart.high - apart.low < (once.high - once.low) / 4


def test_a_unit_with_more_queries_weighs_more():
    # Unit 0 has three queries of value 1, unit 1 one of value 0; drawn are 00, 01, 10 or 11.
    estimate = bootstrap_mean(np.array([1.0, 1, 1, 0]), np.array([0, 0, 0, 1]))
    assert estimate == Estimate(value=0.75, low=0.0, high=1.0)


def test_numbers_of_units_may_have_gaps():
    values = np.random.default_rng(3).random(20)
    assert bootstrap_mean(values, alone(20) * 7 + 3) == bootstrap_mean(values, alone(20))


def test_equal_seeds_give_equal_intervals_and_others_others():
    values = np.random.default_rng(4).random(50)
    first, again = (bootstrap_mean(values, alone(50), seed=5) for _ in range(2))
    other = bootstrap_mean(values, alone(50), seed=6)
    assert first == again
    assert other != first
    assert other.low == pytest.approx(first.low, abs=0.01)


def test_draws_that_do_not_fit_into_memory_at_once_are_as_good():
    values = np.random.default_rng(5).random(50)
    at_once = bootstrap_mean(values, alone(50))
    in_parts = bootstrap_mean(values, alone(50), draws_at_once=333)
    assert (in_parts.low, in_parts.high) == pytest.approx((at_once.low, at_once.high), abs=0.004)


def test_the_interval_holds_the_truth_about_as_often_as_it_says():
    drawn = np.random.default_rng(6)
    held = [
        estimate.low <= 0.5 <= estimate.high
        for estimate in (
            bootstrap_mean(drawn.random(60), alone(60), resamples=500) for _ in range(400)
        )
    ]
    assert 0.91 <= np.mean(held) <= 0.98


@pytest.mark.parametrize(
    ("low", "high", "excluded"),
    [(0.01, 0.2, True), (-0.2, -0.01, True), (-0.1, 0.1, False), (0.0, 0.1, False)],
)
def test_zero_is_excluded_where_the_interval_lies_on_one_side_of_it(low, high, excluded):
    assert Estimate(value=(low + high) / 2, low=low, high=high).excludes_zero is excluded
