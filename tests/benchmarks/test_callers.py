import pytest

from benchmarks.callers import STAGES, Answered, Answers

LONE = Answered(waited=100, total=90, decode=5, describe=60, search=15, index=4, join=3)


def test_the_stages_of_a_query_add_up_to_what_its_caller_waited():
    stages = dict(zip(STAGES, LONE.stages(describe_ms=40.0), strict=True))
    assert stages == {
        "HTTP": 10,
        "form": 10,
        "decode": 5,
        "queue": 20,
        "describe": 40,
        "lookup": 8,
        "index": 4,
        "join": 3,
    }
    assert sum(stages.values()) == LONE.waited


def test_a_picture_that_was_described_faster_than_usual_waited_for_nothing():
    stages = dict(zip(STAGES, LONE.stages(describe_ms=80.0), strict=True))
    assert (stages["queue"], stages["describe"]) == (0, 60)


def test_speed_percentiles_and_stages_are_of_all_queries():
    answered = tuple(Answered(float(total), 0, 0, 0, 0, 0, 0) for total in range(101))
    answers = Answers(answered, seconds=4.0)
    assert answers.per_second == pytest.approx(25.25)
    assert [answers.percentile(percent) for percent in (50, 95, 99)] == [50.0, 95.0, 99.0]
    assert answers.stages(1.0)[0] == 50.0
