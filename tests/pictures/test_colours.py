"""Colours, transparency and samples of more than eight bits."""

import numpy as np
import pytest
from PIL import Image

from bento_service.errors import (
    ImageUnreadable,
)
from tests.pictures.drawing import BLUE, GREEN, RED, WHITE, corners, opened, plain

# Pillow warns about damaged metadata; what counts is what comes out.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:PIL")


def drawn(colour, box=(16, 16, 48, 48)):
    """Return a box of one colour, drawn on transparency."""
    image = Image.new("RGBA", (64, 64), (255, 255, 255, 0))
    image.paste((*colour, 255), box)
    return image


def palette(ink):
    """Return a box with a palette whose first entry is transparent."""
    image = Image.new("P", (64, 64), 0)
    image.putpalette([7, 7, 7, ink, ink, ink])
    image.paste(1, (16, 16, 48, 48))
    image.info["transparency"] = 0
    return image


class TestColours:
    @pytest.mark.parametrize(
        ("file_format", "mode"),
        [
            ("PNG", "RGBA"),
            ("PNG", "LA"),
            ("TIFF", "RGBA"),
            ("TIFF", "LA"),
            ("WEBP", "RGBA"),
            ("AVIF", "RGBA"),
        ],
    )
    def test_transparent_parts_lie_on_white(self, file_format, mode, encoded):
        clear = (0,) * len(mode)
        picture = opened(encoded(plain(clear, mode=mode), file_format))
        assert corners(picture.pixels) == [WHITE] * 4

    @pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
    @pytest.mark.parametrize(("ink", "ground"), [(0, 255), (100, 255), (215, 0), (255, 0)], ids=str)
    def test_a_drawing_of_one_colour_is_seen_on_its_ground(self, mode, ink, ground, encoded):
        data = encoded(drawn([ink] * 3).convert(mode) if mode != "P" else palette(ink), "PNG")
        levels = opened(data, side=64).pixels[..., 0]
        assert (levels[32, 32], levels[2, 2]) == (ink, ground)

    def test_black_and_white_lie_on_grey(self, encoded):
        picture = drawn([0] * 3)
        picture.paste((255, 255, 255, 255), (16, 16, 32, 48))
        levels = opened(encoded(picture, "PNG"), side=64).pixels[..., 0]
        assert [levels[32, 20], levels[32, 40], levels[2, 2]] == [255, 0, 128]

    @pytest.mark.parametrize("size", [(64, 64), (1200, 800), (3, 900)])
    def test_white_inside_of_a_dark_shape_stays_on_white(self, size, encoded):
        picture = Image.new("RGBA", size, (255, 255, 255, 255))
        picture.paste((200, 0, 0, 255), (0, size[1] // 10, size[0], size[1]))
        picture.paste((255, 255, 255, 255), (1, size[1] // 2, size[0], size[1] * 6 // 10))
        picture.paste((0, 0, 0, 0), (0, size[1] * 9 // 10, size[0], size[1]))
        assert opened(encoded(picture, "PNG"), side=64).pixels[63, 32].tolist() == [255] * 3

    def test_different_white_drawings_look_different(self, encoded):
        disc, box = drawn([255] * 3), drawn([255] * 3, (8, 30, 56, 34))
        first, second = (opened(encoded(one, "PNG"), side=64).pixels for one in (disc, box))
        assert (first != second).mean() > 0.1

    def test_half_transparent_black_is_grey(self, encoded):
        picture = opened(encoded(plain((0, 0, 0, 128), mode="RGBA"), "PNG"))
        assert np.abs(picture.pixels.astype(int) - 127).max() <= 1

    @pytest.mark.parametrize("file_format", ["PNG", "GIF"])
    def test_a_palettes_transparent_entry_lies_on_white(self, file_format, encoded):
        image = Image.new("P", (20, 10), 1)
        image.putpalette([*RED, *GREEN])
        image.paste(0, (0, 0, 10, 10))
        picture = opened(encoded(image, file_format, transparency=0), side=20)
        assert corners(picture.pixels)[0::2] == [WHITE, WHITE]
        assert corners(picture.pixels)[1::2] == [GREEN, GREEN]

    @pytest.mark.parametrize(("mode", "key", "colour"), [("L", 7, 7), ("RGB", RED, RED)])
    def test_a_transparent_colour_of_a_png_lies_on_white(self, mode, key, colour, encoded):
        picture = opened(encoded(plain(colour, mode=mode), "PNG", transparency=key))
        assert corners(picture.pixels) == [WHITE] * 4

    @pytest.mark.parametrize("file_format", ["PNG", "GIF", "BMP", "TIFF"])
    def test_palettes_become_their_colours(self, file_format, encoded):
        image = Image.new("P", (20, 10), 1)
        image.putpalette([*RED, *BLUE])
        assert corners(opened(encoded(image, file_format)).pixels) == [BLUE] * 4

    @pytest.mark.parametrize("file_format", ["PNG", "BMP", "TIFF"])
    def test_one_bit_is_black_or_white(self, file_format, encoded):
        image = plain(0, mode="1")
        image.paste(1, (10, 0, 20, 10))
        picture = opened(encoded(image, file_format), side=20)
        assert corners(picture.pixels) == [(0, 0, 0), WHITE] * 2

    @pytest.mark.parametrize("file_format", ["JPEG", "TIFF"])
    def test_printing_colours_are_converted(self, file_format, encoded):
        image = plain((0, 255, 255, 0), (16, 16), mode="CMYK")  # magenta and yellow ink: red
        picture = opened(encoded(image, file_format))
        assert np.abs(picture.pixels.astype(int) - RED).max() <= 4


class TestDeepSamples:
    RAMP = np.array([[0, 0x4000], [0x8000, 0xFFFF]])
    SHADES = (0, 64, 128, 255)

    def shades(self, data):
        picture = opened(data, side=2)
        assert (picture.pixels == picture.pixels[..., :1]).all()
        return tuple(int(v) for v in picture.pixels[..., 0].ravel())

    @pytest.mark.parametrize("file_format", ["PNG", "TIFF"])
    def test_16_bits_are_scaled_and_not_clipped(self, file_format, encoded):
        image = Image.fromarray(self.RAMP.astype(np.uint16))
        assert self.shades(encoded(image, file_format)) == self.SHADES

    def test_16_bits_in_the_other_byte_order_are_the_same(self, encoded):
        image = Image.frombytes("I;16B", (2, 2), self.RAMP.astype(">u2").tobytes())
        assert self.shades(encoded(image, "TIFF")) == self.SHADES

    def test_16_bits_in_wider_samples_keep_their_scale(self, encoded):
        image = Image.fromarray(self.RAMP.astype(np.int32))
        assert self.shades(encoded(image, "TIFF")) == self.SHADES

    def test_dark_16_bits_stay_dark(self, encoded):
        image = Image.fromarray(np.array([[2570, 2570], [2570, 65535]], np.uint16))
        assert self.shades(encoded(image, "PNG")) == (10, 10, 10, 255)

    def test_black_with_some_noise_stays_black(self, encoded):
        image = Image.fromarray(np.array([[0, 1], [2, 3]], np.uint16))
        assert self.shades(encoded(image, "PNG")) == (0, 1, 2, 3)

    @pytest.mark.parametrize("bits", [10, 12, 14])
    @pytest.mark.parametrize("file_format", ["PNG", "TIFF"])
    def test_fewer_bits_in_16_are_as_bright_as_they_were_taken(self, bits, file_format, encoded):
        image = Image.fromarray((self.RAMP >> (16 - bits)).astype(np.uint16))
        shades = self.shades(encoded(image, file_format))
        assert np.abs(np.subtract(shades, self.SHADES)).max() <= 1

    def test_fewer_bits_in_the_other_byte_order_and_in_wider_samples_too(self, encoded):
        ramp = self.RAMP >> 4
        for image in (
            Image.frombytes("I;16B", (2, 2), ramp.astype(">u2").tobytes()),
            Image.fromarray(ramp.astype(np.int32)),
        ):
            assert np.abs(np.subtract(self.shades(encoded(image, "TIFF")), self.SHADES)).max() <= 1

    def test_32_bits_are_scaled_by_what_they_use(self, encoded):
        image = Image.fromarray(np.array([[-1000, 0], [1000, 1_000_000]], np.int32))
        assert self.shades(encoded(image, "TIFF"))[0::3] == (0, 255)

    def test_real_numbers_are_scaled_by_what_they_use(self, encoded):
        image = Image.fromarray(np.array([[-1.0, 0.0], [1.0, 3.0]], np.float32))
        assert self.shades(encoded(image, "TIFF")) == (0, 64, 128, 255)

    def test_a_flat_picture_of_real_numbers_is_no_failure(self, encoded):
        image = Image.fromarray(np.full((2, 2), 0.5, np.float32))
        assert self.shades(encoded(image, "TIFF")) == (0,) * 4

    def test_a_sample_that_is_not_a_number_is_rejected(self, encoded):
        image = Image.fromarray(np.array([[0.0, np.nan]], np.float32))
        with pytest.raises(ImageUnreadable, match="not numbers"):
            opened(encoded(image, "TIFF"))

    def test_many_rows_are_scaled_like_few(self, encoded):
        column = np.arange(1000, dtype=np.uint16)[:, np.newaxis] * 60
        picture = opened(encoded(Image.fromarray(column), "PNG"), side=1000)
        expected = np.rint(column[:, 0] * (255 / 65535)).astype(np.uint8)
        assert np.array_equal(picture.pixels[:, 0, 0], expected)
