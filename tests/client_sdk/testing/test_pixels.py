"""Visible changes of drawn pictures; `test_visible_changes` draws real pages."""

import random

import pytest
from PIL import Image, ImageDraw

from client_sdk.testing.pixels import difference

BOX = (40, 60, 160, 100)


def page(*, price: str = "12.40", button: bool = True, at: tuple[int, int] = (0, 0)) -> Image.Image:
    picture = Image.new("RGBA", (320, 200), "white")
    draw = ImageDraw.Draw(picture)
    x, y = at
    draw.text((20 + x, 20 + y), "Three kinds of tea", fill="black", font_size=22)
    if button:
        draw.rectangle(BOX, fill="seagreen")
    draw.text((40 + x, 150 + y), price, fill="black", font_size=14)
    return picture


def found(actual, expected=None):
    return difference(actual, expected or page())[0]


def test_the_same_picture_passes_and_draws_nothing():
    result, drawn = difference(page(), page())
    assert (result.passed, result.differing, result.regions, drawn) == (True, 0, (), None)


@pytest.mark.parametrize("price", ["12.90", "12.41", "12,40", "1240"])
def test_a_changed_digit_fails_at_its_place(price):
    result = found(page(price=price))
    assert not result.passed
    (region,) = result.regions
    x, y, width, height = region.box
    assert 40 <= x < x + width <= 90
    assert 148 <= y < y + height <= 172


def test_missing_and_new_parts_are_named():
    (region,) = found(page(button=False)).regions
    assert (region.what, region.box) == ("missing", (40, 60, 121, 41))
    (region,) = found(page(), page(button=False)).regions
    assert region.what == "new"


def test_a_moved_part_is_named_with_its_shift():
    def ball(x):
        picture = Image.new("RGBA", (320, 200), "white")
        ImageDraw.Draw(picture).ellipse((x, 80, x + 20, 100), fill="navy")
        return picture

    regions = found(ball(180), ball(150)).regions
    assert ("moved", (30, 0)) in [(region.what, region.by) for region in regions]


def test_words_on_a_repeated_pattern_have_not_moved():
    def striped(words):
        picture = Image.new("RGBA", (320, 200), "white")
        draw = ImageDraw.Draw(picture)
        for x in range(0, 320, 20):
            draw.rectangle((x, 0, x + 9, 199), fill="seagreen")
        draw.text((90, 90), words, fill="black", font_size=18)
        return picture

    assert {region.what for region in found(striped("Sale"), striped("")).regions} == {"changed"}


@pytest.mark.parametrize(
    "way", [(1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (-1, -1), (2, 0), (1, 2), (-2, 2)]
)
def test_text_that_font_metrics_shift_passes(way):
    result = found(page(at=way))
    assert result.passed
    assert result.tolerated > 100


def test_text_that_reaches_beyond_the_pixels_that_are_looked_at_passes():
    def link(x):
        picture = Image.new("RGBA", (200, 72), "white")
        draw = ImageDraw.Draw(picture)
        draw.text((x, 16), "Cancel", fill="#2f6b4f", font_size=34)
        draw.rectangle((x, 52, x + 68, 53), fill="#2f6b4f")
        return picture

    assert found(link(36), link(35)).passed


def line(words, *, at=(20, 40)):
    picture = Image.new("RGBA", (320, 100), "white")
    ImageDraw.Draw(picture).text(at, words, fill="black", font_size=13)
    return picture


@pytest.mark.parametrize("words", ["Green tea, 9,80", "Green tea. 9.80"])
def test_another_sign_of_a_few_smoothed_pixels_fails(words):
    assert not found(line(words), line("Green tea, 9.80")).passed


def test_a_sign_that_changes_in_text_that_moves_fails():
    assert not found(line("Green tea, 9.86", at=(21, 41)), line("Green tea, 9.80")).passed


def test_a_faint_line_that_vanishes_fails():
    ruled = page()
    ImageDraw.Draw(ruled).line((20, 130, 300, 130), fill=(232, 232, 232))
    assert not found(page(), ruled).passed


def test_slightly_other_smoothing_passes():
    def corner(grey):
        picture = page()
        draw = ImageDraw.Draw(picture)
        draw.rectangle((220, 80, 300, 140), fill="black")
        for x, y in ((220, 80), (221, 80), (220, 81)):
            draw.point((x, y), fill=(grey, grey, grey))
        return picture

    assert found(corner(150), corner(110)).passed


def test_text_that_is_farther_away_fails():
    assert not found(page(at=(0, 6))).passed


def test_scattered_noise_passes_and_the_same_number_of_pixels_in_one_place_fails():
    chance = random.Random(7)  # noqa: S311
    scattered, dense = page(), page()
    for number in range(14):
        scattered.putpixel((chance.randrange(200, 320), chance.randrange(200)), (0, 0, 0, 255))
        dense.putpixel((250 + number % 4, 50 + number // 4), (0, 0, 0, 255))
    assert found(scattered).passed
    assert not found(dense).passed


@pytest.mark.parametrize("scale", [1, 2])
def test_a_text_cursor_passes_and_a_letter_does_not(scale):
    def with_bar(width, height):
        picture = page()
        ImageDraw.Draw(picture).rectangle((250, 60, 249 + width, 59 + height), fill="black")
        return picture

    assert found(with_bar(scale, 17 * scale)).passed
    assert not found(with_bar(2 * scale, 11 * scale)).passed


def test_a_text_cursor_that_touches_a_letter_passes():
    without = page()
    ImageDraw.Draw(without).rectangle((250, 66, 252, 68), fill="black")  # a serif
    cursor = without.copy()
    ImageDraw.Draw(cursor).rectangle((250, 60, 250, 76), fill="black")
    assert found(cursor, without).passed


def test_another_size_fails_with_both_and_compares_nothing():
    result, drawn = difference(page().resize((640, 400)), page())
    assert (result.passed, result.size, result.expected_size) == (False, (640, 400), (320, 200))
    assert (result.places, drawn) == (0, None)


def test_white_text_on_transparency_is_compared():
    def total(words):
        picture = Image.new("RGBA", (200, 60))
        ImageDraw.Draw(picture).text((10, 10), words, fill="white", font_size=24)
        return picture

    assert not found(total("FAILED 99.50"), total("Total 12.00")).passed
    assert found(total("Total 12.00"), total("Total 12.00")).passed


def test_another_alpha_under_the_same_colours_fails():
    clear = page()
    clear.paste((255, 255, 255, 0), (200, 60, 300, 160))
    assert not found(clear).passed


def test_invisible_colours_are_ignored():
    red, blue = (Image.new("RGBA", (64, 64), (*rgb, 0)) for rgb in ((255, 0, 0), (0, 0, 255)))
    assert found(red, blue).passed


def test_the_difference_is_drawn_in_red():
    drawn = difference(page(button=False), page())[1]
    assert drawn.getpixel((100, 80)) == (214, 32, 32)
    assert drawn.getpixel((300, 190)) == (255, 255, 255)


def test_pictures_smaller_than_a_cell_are_compared():
    one, other = (Image.new("RGBA", (5, 3), colour) for colour in ("red", "blue"))
    assert not found(one, other).passed
    assert found(one, one).passed
