from pathlib import Path

import httpx
import pytest

from client_sdk import Client
from client_sdk.errors import UsageError
from client_sdk.testing import Options, Pixels, Visual, VisualAssertions, assert_similar
from client_sdk.testing.options import from_environment, is_ci, layered


def test_the_first_layer_that_says_something_wins():
    line = {"min_score": "0.9", "margin": None}
    ini = {"min_score": "0.8", "margin": "0.2", "pixels": "0.01", "baselines": "looks"}

    options = layered(line, ini)

    assert (options.min_score, options.margin) == (0.9, 0.2)
    assert (options.pixels, options.baselines) == (Pixels(max_share=0.01), Path("looks"))


def test_without_layers_the_options_are_the_usual_ones():
    assert layered() == Options()


def test_pixels_can_be_switched_off_above_an_ini_file():
    assert layered({"pixels": "off"}, {"pixels": "0.01"}).pixels is None


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("min_score", "high"),
        ("min_score", "7"),
        ("pixels", "2"),
        ("pixels", "x"),
        ("offline", "no"),
    ],
)
def test_a_text_that_makes_no_sense_is_refused_with_its_name(name, text):
    with pytest.raises(UsageError, match=name):
        layered({name: text})


@pytest.mark.parametrize(
    "given", [{"min_score": 99}, {"known_score": -1.5}, {"margin": 3}, {"min_score": True}]
)
def test_a_score_that_no_two_pictures_can_have_is_refused(given):
    with pytest.raises(UsageError, match=next(iter(given))):
        Options(**given)


@pytest.mark.parametrize(
    "call",
    [
        lambda visual: visual.assert_similar(b"x", b"x", min_score=99),
        lambda visual: visual.assert_similar(b"x", b"x", min_score="high"),
        lambda visual: visual.assert_known(b"x", min_score=2),
        lambda visual: visual.assert_new(b"x", min_score=-2),
        lambda visual: visual.assert_no_duplicates("shelf", min_score=99),
        lambda visual: visual.assert_nearest(b"x", "a", margin=3),
    ],
)
def test_an_assertion_asks_for_no_score_that_no_two_pictures_can_have(call):
    def asked(request):
        raise AssertionError(request.url)

    visual = Visual(Client(transport=httpx.MockTransport(asked)))
    with visual.client, pytest.raises(UsageError, match=r"scores lie in \[-1, 1\]"):
        call(visual)


def test_a_function_needs_a_baseline():
    with Client() as client, pytest.raises(UsageError, match="needs a baseline"):
        assert_similar(client, b"x")


@pytest.mark.parametrize(
    ("derived", "own"),
    [
        (assert_similar, Visual.assert_similar),
        (VisualAssertions.assertSimilar, Visual.assert_similar),
        (VisualAssertions.softVisual, Visual.soft),
    ],
)
def test_a_derived_assertion_has_its_own_name_and_description(derived, own):
    assert derived.__doc__.endswith(f"see `{own.__qualname__}`.")
    assert derived.__name__.lower().replace("_", "").startswith(("assert", "soft"))


def test_the_environment_sets_every_option():
    options = from_environment(
        {
            "LOOKALIKE_VISUAL_MIN_SCORE": "0.5",
            "LOOKALIKE_VISUAL_UPDATE": "1",
            "LOOKALIKE_VISUAL_OFFLINE": "skip",
            "LOOKALIKE_VISUAL_REPORT": "out",
            "CI": "true",
        }
    )
    assert options == Options(
        min_score=0.5, update=True, offline="skip", report=Path("out"), in_ci=True
    )


@pytest.mark.parametrize(("text", "expected"), [("true", True), ("1", True), ("false", False)])
def test_ci_is_told_by_its_variable(text, expected):
    assert is_ci({"CI": text}) is expected
    assert is_ci({}) is False
