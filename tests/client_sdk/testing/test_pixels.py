import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw
from pixelmatch.contrib.PIL import pixelmatch

from client_sdk.errors import UsageError
from client_sdk.testing import Pixels
from client_sdk.testing.pixels import DIFFERENT, difference


def text(words: str, x: float = 10.0) -> Image.Image:
    picture = Image.new("RGB", (160, 60), "white")
    ImageDraw.Draw(picture).text((x, 10), words, fill="black", font_size=24)
    return picture


@pytest.mark.parametrize("smoothed_edges", [False, True])
@pytest.mark.parametrize("threshold", [0.05, 0.1, 0.4])
def test_the_count_is_that_of_pixelmatch(threshold, smoothed_edges):
    one, other = text("12.40", 10.0), text("12.90", 10.4)
    expected = pixelmatch(one, other, threshold=threshold, includeAA=smoothed_edges)
    rule = Pixels(threshold=threshold, smoothed_edges=smoothed_edges)

    found, _ = difference(one, other, rule)

    assert found.differing == expected > 0


@settings(max_examples=25)
@given(st.binary(min_size=12 * 12 * 3, max_size=12 * 12 * 3), st.integers(0, 255))
def test_the_count_is_that_of_pixelmatch_for_any_picture(noise, grey):
    one, other = Image.frombytes("RGB", (12, 12), noise), Image.new("RGB", (12, 12), (grey,) * 3)
    found, _ = difference(one, other, Pixels())
    assert found.differing == pixelmatch(one, other)


def test_equal_pictures_have_no_difference():
    found, drawn = difference(text("same"), text("same"), Pixels())
    assert (found.differing, found.box, found.passed) == (0, None, True)
    assert DIFFERENT not in {colour for _, colour in drawn.getcolors(10_000)}


def test_what_one_picture_has_more_differs():
    tall, short = Image.new("RGB", (10, 30), "white"), Image.new("RGB", (10, 20), "white")
    found, drawn = difference(tall, short, Pixels(max_share=0.3))
    assert (found.differing, found.total, found.box) == (100, 300, (0, 20, 10, 10))
    assert (found.sizes_differ, found.passed, drawn.size) == (True, False, (10, 30))


def test_the_box_lies_around_the_differing_pixels():
    one, other = Image.new("RGB", (40, 40)), Image.new("RGB", (40, 40))
    other.paste("red", (5, 6, 15, 9))
    found, drawn = difference(one, other, None)
    assert (found.box, found.differing, found.max_share) == ((5, 6, 10, 3), 30, None)
    assert drawn.getpixel((5, 6)) == DIFFERENT


def test_a_share_of_exactly_the_limit_passes():
    one, other = Image.new("RGB", (10, 10)), Image.new("RGB", (10, 10))
    other.paste("red", (0, 0, 10, 1))
    assert difference(one, other, Pixels(max_share=0.1))[0].passed
    assert not difference(one, other, Pixels(max_share=0.09))[0].passed


@pytest.mark.parametrize("rule", [{"max_share": 1.1}, {"max_share": -0.1}, {"threshold": 2}])
def test_a_rule_outside_of_its_limits_is_refused(rule):
    with pytest.raises(UsageError, match="give 0 to 1"):
        Pixels(**rule)
