import sys
from pathlib import Path

import httpx
import pytest

from client_sdk import Client
from client_sdk.errors import UsageError
from client_sdk.testing import Options, Visual, VisualAssertions, assert_similar
from client_sdk.testing.options import from_environment, is_ci, layered


def test_the_first_layer_with_a_value_wins():
    line = {"min_score": "0.9", "collection": None}
    ini = {"min_score": "0.8", "collection": "shop", "baselines": "looks"}

    options = layered(line, ini)

    assert (options.min_score, options.collection) == (0.9, "shop")
    assert options.baselines == Path("looks")


def test_without_layers_the_options_have_their_defaults():
    assert layered() == Options()


def test_baselines_have_a_folder_for_each_platform_on_request():
    assert layered({"baselines": "looks/{platform}"}).baselines == Path("looks", sys.platform)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("min_score", "high"),
        ("min_score", "7"),
        ("min_score", "nan"),
        ("offline", "no"),
    ],
)
def test_an_invalid_option_is_named(name, text):
    with pytest.raises(UsageError, match=name):
        layered({name: text})


@pytest.mark.parametrize("given", [{"min_score": 99}, {"min_score": -1.5}, {"min_score": True}])
def test_a_score_out_of_range_is_rejected(given):
    with pytest.raises(UsageError, match=next(iter(given))):
        Options(**given)


@pytest.mark.parametrize(
    "call",
    [
        lambda visual: visual.assert_looks_like(b"x", b"x", min_score=99),
        lambda visual: visual.assert_looks_like(b"x", b"x", min_score="high"),
        lambda visual: visual.assert_looks_like(b"x", b"x", min_score=float("nan")),
        lambda visual: visual.assert_known(b"x", min_score=2),
        lambda visual: visual.assert_new(b"x", min_score=-2),
        lambda visual: visual.assert_no_duplicates("shelf", min_score=99),
        lambda visual: visual.assert_nearest(b"x", "a", margin=3),
    ],
)
def test_an_assertion_rejects_a_score_out_of_range(call):
    def asked(request):
        raise AssertionError(request.url)

    visual = Visual(Client(transport=httpx.MockTransport(asked)))
    with visual.client, pytest.raises(UsageError, match="give a number from -1 to"):
        call(visual)


def test_a_function_needs_a_baseline():
    with Client() as client, pytest.raises(UsageError, match="needs a baseline"):
        assert_similar(client, b"x")


@pytest.mark.parametrize(
    ("derived", "own"),
    [
        (assert_similar, Visual.assert_similar),
        (VisualAssertions.assertSimilar, Visual.assert_similar),
        (VisualAssertions.assertLooksLike, Visual.assert_looks_like),
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
def test_the_variable_ci_marks_continuous_integration(text, expected):
    assert is_ci({"CI": text}) is expected
    assert is_ci({}) is False
