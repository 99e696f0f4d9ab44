import pytest

from model_build.errors import EvaluationError
from model_build.evaluation.evaluation import Row
from model_build.evaluation.statistics import Estimate
from model_build.evaluation.thresholds import Threshold


def row(name, mean_average_precision, recall_at_1):
    values = {"mean_average_precision": mean_average_precision, "recall_at_1": recall_at_1}
    measures = {measure: Estimate(value, 0, 1) for measure, value in values.items()}
    return Row(name, "test", 512, measures, {}, ())


ROWS = (row("vgg16-mac", 0.386, 0.5), row("vgg16-rmac4", 0.415, 0.75))


def test_a_name_and_a_value_mean_mean_average_precision():
    threshold = Threshold.parsed("vgg16-rmac4=0.40")
    assert threshold == Threshold("vgg16-rmac4", "mean_average_precision", 0.4)


def test_another_measure_can_be_named():
    assert Threshold.parsed("a:recall_at_1=1") == Threshold("a", "recall_at_1", 1.0)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not of the form NAME=VALUE"),
        ("vgg16-mac", "not of the form"),
        ("=0.4", "not of the form"),
        ("a=0.4=0.5", "not of the form"),
        ("a:b:c=0.4", "not of the form"),
        ("a:precision=0.4", "no measure 'precision'; there are mean_average_precision"),
        ("a=40", "'40' is not a share between 0 and 1"),
        ("a=-0.1", "not a share"),
        ("a=high", "'high' is not a share"),
        ("a=nan", "not a share"),
    ],
)
def test_anything_else_is_refused(text, message):
    with pytest.raises(ValueError, match=message):
        Threshold.parsed(text)


def test_a_value_that_is_reached_is_no_failure():
    assert Threshold.parsed("vgg16-rmac4=0.415").failure(ROWS) is None
    assert Threshold.parsed("vgg16-rmac4:recall_at_1=0.75").failure(ROWS) is None


def test_a_value_below_is_reported_with_both_numbers():
    failure = Threshold.parsed("vgg16-mac=0.40").failure(ROWS)
    assert failure == "mean_average_precision of vgg16-mac is 0.3860, at least 0.4 is set"


def test_the_named_descriptor_and_measure_are_watched_and_no_others():
    assert Threshold.parsed("vgg16-mac:recall_at_1=0.6").failure(ROWS) is not None
    assert Threshold.parsed("vgg16-rmac4:recall_at_1=0.6").failure(ROWS) is None


def test_a_descriptor_that_is_not_evaluated_cannot_be_watched():
    threshold = Threshold.parsed("vgg16-rmac4=0.4")
    threshold.check_against(["vgg16-mac", "vgg16-rmac4"])
    with pytest.raises(EvaluationError, match=r"names vgg16-rmac4, but .* is vgg16-mac"):
        threshold.check_against(["vgg16-mac"])
