import numpy as np
import pytest

from model_build.errors import EvaluationError
from model_build.evaluation.copies import copies
from model_build.evaluation.describers import Describer, describers
from model_build.evaluation.edits import EDITS
from model_build.evaluation.evaluation import evaluate
from model_build.evaluation.folders import labelled_folders

NAME = "colour-histogram"


@pytest.fixture
def histogram():
    return describers([NAME], None, threads=1)


@pytest.fixture
def red_and_blue(tmp_path, two_colours):
    """Label `red` holds 200, 180 and 60 red columns of 224, label `blue` 20 and 70.

    The score of r and s red columns is sqrt(r s) / 224 + sqrt((224 - r) (224 - s)) / 224, so
    the nearer in angle arccos(sqrt(r / 224)) the better. The angles in degrees: 200 at 19.1,
    180 at 26.3, 70 at 56.0, 60 at 58.8, 20 at 72.6.
    """
    for label, columns in (("red", (200, 180, 60)), ("blue", (20, 70))):
        for number in columns:
            two_colours(tmp_path / label / f"{number:03}.png", number)
    return tmp_path


def test_a_worked_example(red_and_blue, histogram):
    (row,) = evaluate(labelled_folders([red_and_blue]), [NAME], histogram).rows
    # 200 asks: 180, 70, 60, 20. Relevant 180 and 60 come first and third: (1 + 2/3) / 2.
    # 180 asks: 200, 70, 60, 20: the same.
    # 60 asks:  70, 20, 180, 200: third and fourth: (1/3 + 2/4) / 2.
    # 20 asks:  60, 70, 180, 200. Relevant 70 comes second: 1/2.
    # 70 asks:  60, 20, 180, 200. Relevant 20 comes second: 1/2.
    expected = (5 / 6 + 5 / 6 + 5 / 12 + 1 / 2 + 1 / 2) / 5
    assert row.measures["mean_average_precision"].value == pytest.approx(expected)
    assert row.measures["recall_at_1"].value == pytest.approx(2 / 5)
    assert row.measures["recall_at_10"].value == 1
    assert (row.descriptor, row.dimension, row.differences) == (NAME, 512, {})


def test_equal_pictures_of_another_label_come_first(tmp_path, two_colours, histogram):
    for name in ("a/1.png", "a/2.png", "b/3.png", "b/4.png"):
        two_colours(tmp_path / name, 100)
    (row,) = evaluate(labelled_folders([tmp_path]), [NAME], histogram).rows
    assert row.measures["mean_average_precision"].value == pytest.approx(1 / 3)


def test_rows_come_in_the_order_that_was_asked_for_and_differ_from_the_first(
    red_and_blue, histogram
):
    def constant(images):
        return {"constant": np.ones((len(images), 1), np.float32)}

    (given,) = histogram
    other = Describer(("constant",), "test", given.prepare, constant)
    protocol = labelled_folders([red_and_blue])
    first, second = evaluate(protocol, ["constant", NAME], [given, other]).rows
    assert (first.descriptor, second.descriptor) == ("constant", NAME)
    assert (first.origin, second.origin) == ("test", given.origin)
    # With equal scores the relevant ones come last: 3 and 4 of 4 for two of them, 4 for one.
    constant_map = (3 * (1 / 3 + 2 / 4) / 2 + 2 * 1 / 4) / 5
    assert first.measures["mean_average_precision"].value == pytest.approx(constant_map)
    difference = second.differences["mean_average_precision"]
    assert difference.value == pytest.approx(37 / 60 - constant_map)
    assert first.differences == {}


def test_unreadable_files_are_counted_and_the_rest_is_evaluated(red_and_blue, histogram):
    (red_and_blue / "red" / "060.png").write_bytes(b"no picture")
    (red_and_blue / "blue" / "020.png").write_bytes(b"")
    evaluation = evaluate(labelled_folders([red_and_blue]), [NAME], histogram)
    assert [path.rsplit("/", 1)[1] for path in evaluation.unreadable] == ["020.png", "060.png"]
    # 200 and 180 ask for each other among 200, 180 and 70; 70 has lost its only answer.
    assert len(evaluation.protocol.gallery) == 3
    assert evaluation.protocol.skipped == 1
    assert evaluation.rows[0].measures["mean_average_precision"].value == 1


def test_copies_are_reported_by_edit(tmp_path, two_colours, histogram):
    for number in (10, 60, 110, 160, 210):
        two_colours(tmp_path / f"{number}.png", number)
    (row,) = evaluate(copies([tmp_path]), [NAME], histogram).rows
    assert [one.edit for one in row.robustness] == list(EDITS)
    by_edit = {one.edit: one for one in row.robustness}
    assert by_edit["rotate180"].recall_at_1 == 1  # a histogram does not see it
    assert by_edit["greyscale"].median_score < 0.1  # neither red nor blue is left
    share = sum(one.recall_at_1 for one in row.robustness) / 24
    assert row.measures["recall_at_1"].value == pytest.approx(share)


def test_an_unreadable_original_takes_its_copies_along(tmp_path, two_colours, histogram):
    for number in (10, 60, 110):
        two_colours(tmp_path / f"{number:03}.png", number)
    (tmp_path / "060.png").write_bytes(b"no picture")
    evaluation = evaluate(copies([tmp_path]), [NAME], histogram)
    assert len(evaluation.unreadable) == 1
    assert len(evaluation.protocol.questions) == 2 * 24
    assert evaluation.protocol.skipped == 0


def test_queries_without_any_answer_are_rejected_before_anything_is_described(
    tmp_path, two_colours
):
    two_colours(tmp_path / "a" / "1.png", 10)
    two_colours(tmp_path / "b" / "2.png", 10)
    with pytest.raises(EvaluationError, match="2 queries have none, 0 pictures are unreadable"):
        evaluate(labelled_folders([tmp_path]), [NAME], [])


def test_queries_that_lose_all_answers_are_rejected(red_and_blue, histogram):
    for file in red_and_blue.rglob("*.png"):
        file.write_bytes(b"no picture")
    with pytest.raises(EvaluationError, match="5 pictures are unreadable"):
        evaluate(labelled_folders([red_and_blue]), [NAME], histogram)
