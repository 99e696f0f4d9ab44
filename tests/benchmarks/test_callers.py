import pytest

from benchmarks.callers import STAGES, Answered, Answers


def test_what_callers_waited_for_adds_up():
    answers = Answers((Answered(100, 5, 60, 15), Answered(300, 5, 260, 5)), seconds=2.0)
    shares = dict(zip(STAGES, answers.shares(describe_ms=40.0), strict=True))
    assert shares == pytest.approx(
        {"decode": 10 / 400, "queue": 290 / 400, "describe": 80 / 400, "search": 20 / 400}
    )


def test_a_picture_that_was_described_faster_than_usual_waited_for_nothing():
    answers = Answers((Answered(50, 10, 30, 10),), seconds=1.0)
    assert answers.shares(describe_ms=40.0) == pytest.approx((0.2, 0.0, 0.6, 0.2))


def test_speed_and_percentiles_are_of_all_queries():
    answered = tuple(Answered(float(total), 0, 0, 0) for total in range(101))
    answers = Answers(answered, seconds=4.0)
    assert answers.per_second == pytest.approx(25.25)
    assert [answers.percentile(percent) for percent in (50, 95, 99)] == [50.0, 95.0, 99.0]
