import json
from pathlib import Path

import pytest

from model_build.evaluation.evaluation import Evaluation, Row
from model_build.evaluation.measures import MEASURES, Robustness
from model_build.evaluation.protocol import Picture, Protocol, Question
from model_build.evaluation.report import record, table
from model_build.evaluation.statistics import Estimate


def estimates(*values):
    """Return estimates with an interval of 0.02 below and 0.03 above."""
    return {
        name: Estimate(value, value - 0.02, value + 0.03)
        for name, value in zip(MEASURES, values, strict=True)
    }


def row(name, values, differences=(), edits=()):
    return Row(
        descriptor=name,
        origin=f"made for {name}",
        dimension=512,
        measures=estimates(*values),
        differences=estimates(*differences) if differences else {},
        robustness=edits,
    )


@pytest.fixture
def protocol():
    return Protocol(
        name="labelled folders",
        pictures=tuple(Picture(Path(f"{n}.png")) for n in range(5)),
        gallery=(0, 1, 2, 4),
        questions=(Question(0, frozenset({1}), frozenset({0}), 0),) * 2,
        skipped=1,
        facts=(("labels", 3),),
    )


def test_the_table_says_what_was_measured_and_how_the_rows_differ(protocol):
    evaluation = Evaluation(
        protocol,
        {"hats/3.png": "the picture is truncated"},
        (
            row("vgg16-mac", (0.3861, 0.5, 0.9)),
            row("colour-histogram", (0.4056, 0.46, 1.0), (0.0194, -0.04, 0.1)),
        ),
    )
    assert table(evaluation) == (
        "labelled folders, pictures: 4, labels: 3\n"
        "2 queries, 1 skipped without a relevant picture, 1 unreadable files\n"
        "  hats/3.png: the picture is truncated\n"
        "\n"
        "descriptor        dim   mAP   R@1   R@10\n"
        "vgg16-mac         512  38.6  50.0   90.0\n"
        "colour-histogram  512  40.6  46.0  100.0\n"
        "\n"
        "differences to vgg16-mac with 95% intervals of a paired bootstrap (* without 0)\n"
        "descriptor                       mAP                 R@1                  R@10\n"
        "colour-histogram  +1.9  [-0.1, +4.9]  -4.0* [-6.0, -1.0]  +10.0* [+8.0, +13.0]\n"
    )


def test_one_row_has_nothing_to_differ_from(protocol):
    text = table(Evaluation(protocol, {}, (row("vgg16-mac", (0.1, 0.2, 0.3)),)))
    assert text == (
        "labelled folders, pictures: 4, labels: 3\n"
        "2 queries, 1 skipped without a relevant picture, 0 unreadable files\n"
        "\n"
        "descriptor  dim   mAP   R@1  R@10\n"
        "vgg16-mac   512  10.0  20.0  30.0\n"
    )


def test_copies_are_reported_edit_by_edit(protocol):
    edits = (Robustness("flip", 1.0, 0.9612), Robustness("crop30", 0.825, 0.7971))
    others = (Robustness("flip", 0.5, 0.1), Robustness("crop30", 0.0, -0.25))
    evaluation = Evaluation(
        protocol,
        {},
        (
            row("a", (0.1, 0.2, 0.3), edits=edits),
            row("b", (0.1, 0.2, 0.3), (0.1, 0.1, 0.1), others),
        ),
    )
    lines = table(evaluation).splitlines()
    assert lines[-4:] == [
        "for each edit: R@1 and the median cosine of a copy with its original",
        "edit                a              b",
        "flip    100.0   0.961   50.0   0.100",
        "crop30   82.5   0.797    0.0  -0.250",
    ]


def test_the_record_holds_everything_as_shares_and_is_json(protocol):
    evaluation = Evaluation(
        protocol,
        {"3.png": "broken"},
        (
            row("a", (0.5, 0.25, 0.75), edits=(Robustness("flip", 1.0, 0.96),)),
            row("b", (0.6, 0.25, 0.75), (0.1, 0.0, 0.0)),
        ),
    )
    parsed = json.loads(json.dumps(record(evaluation), allow_nan=False))
    first, second = parsed.pop("rows")
    assert parsed == {
        "protocol": "labelled folders",
        "labels": 3,
        "pictures": 4,
        "queries": 2,
        "skipped_queries": 1,
        "unreadable": [{"path": "3.png", "reason": "broken"}],
        "confidence": 0.95,
        "resamples": 10_000,
        "reference": "a",
    }
    assert first["descriptor"] == "a"
    assert first["origin"] == "made for a"
    assert first["dimension"] == 512
    assert first["measures"]["mean_average_precision"] == {"value": 0.5, "low": 0.48, "high": 0.53}
    assert first["measures"].keys() == {"mean_average_precision", "recall_at_1", "recall_at_10"}
    assert first["differences"] == {}
    assert first["edits"] == [{"edit": "flip", "recall_at_1": 1.0, "median_score": 0.96}]
    assert second["differences"]["mean_average_precision"]["value"] == 0.1
