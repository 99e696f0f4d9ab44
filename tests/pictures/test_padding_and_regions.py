"""Padding to a square, and regions of a picture."""

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from bento_service.errors import (
    InvalidArgument,
)
from bento_service.pictures.in_process import decode
from tests.pictures.drawing import (
    BLUE,
    GREEN,
    RED,
    STORED_CORNERS,
    WHITE,
    corners,
    exif_with,
    opened,
    plain,
    stored_with,
)

# Pillow warns about damaged metadata; what counts is what comes out.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:PIL")


def laid_on(image, side, colour):
    """Return the whole picture in the middle of a square of that colour, by Pillow alone."""
    factor = side / max(image.size)
    size = [max(1, round(length * factor)) for length in image.size]
    square = Image.new("RGB", (side, side), colour)
    shrunk = image.resize(size, Image.Resampling.BILINEAR)
    square.paste(shrunk, ((side - size[0]) // 2, (side - size[1]) // 2))
    return np.asarray(square, dtype=np.float64)


class TestPadding:
    GREY = (124, 117, 104)

    def padded(self, data, *, side=64, colour=GREY, **options):
        return opened(data, side=side, padding=colour, **options).pixels

    @pytest.mark.parametrize(
        ("size", "rows", "columns"),
        [
            ((200, 100), slice(16, 48), slice(0, 64)),
            ((100, 200), slice(0, 64), slice(16, 48)),
            ((100, 100), slice(0, 64), slice(0, 64)),
            ((32, 16), slice(16, 48), slice(0, 64)),  # smaller ones are enlarged
        ],
        ids=["wide", "high", "square", "small"],
    )
    def test_the_picture_lies_in_the_middle_and_keeps_its_shape(self, size, rows, columns, encoded):
        pixels = self.padded(encoded(plain(RED, size), "PNG"))
        assert pixels.shape == (64, 64, 3)
        inside = np.zeros((64, 64), bool)
        inside[rows, columns] = True
        assert (pixels[inside] == RED).all()
        assert (pixels[~inside] == self.GREY).all()

    @pytest.mark.parametrize("size", [(50, 40), (40, 50), (200, 133), (133, 200), (63, 64)])
    def test_it_is_pillows_bilinear_filter_over_both_sides(self, size, encoded, blobs):
        image = Image.fromarray(blobs(*size))
        found = self.padded(encoded(image, "PNG"))
        assert np.array_equal(found, laid_on(image, 64, self.GREY))

    @pytest.mark.parametrize("colour", [(0, 0, 0), WHITE, RED])
    def test_the_rest_has_the_colour_that_is_given(self, colour, encoded):
        pixels = self.padded(encoded(plain(GREEN, (60, 20)), "PNG"), colour=colour)
        assert corners(pixels) == [colour] * 4
        assert tuple(pixels[32, 32]) == GREEN

    @pytest.mark.parametrize("file_format", ["PNG", "JPEG"])
    @pytest.mark.parametrize("size", [(5000, 1), (1, 5000), (5000, 3), (3, 5000)])
    def test_a_picture_that_is_nearly_a_line_stays_one(self, size, file_format, encoded):
        pixels = self.padded(encoded(plain(RED, size), file_format))
        across = 0 if size[0] < size[1] else 1
        line = pixels.take(31, axis=1 - across)
        assert np.abs(line.astype(int) - RED).max() <= 4
        assert (pixels == self.GREY).all(axis=2).sum() == 64 * 63

    def test_a_square_picture_is_the_same_padded_and_squashed(self, encoded, blobs):
        data = encoded(Image.fromarray(blobs(90, 90)), "PNG")
        assert np.array_equal(self.padded(data), opened(data, side=64).pixels)

    @pytest.mark.parametrize("orientation", STORED_CORNERS)
    @pytest.mark.parametrize("file_format", ["PNG", "JPEG"])
    def test_a_turned_picture_is_laid_down_upright(self, orientation, file_format, encoded):
        stored = stored_with(orientation, 512, 256)
        data = encoded(stored, file_format, exif=exif_with(orientation))
        pixels = self.padded(data).astype(int)
        assert np.abs(pixels[:16] - self.GREY).max() == 0
        assert np.abs(pixels[48:] - self.GREY).max() == 0
        assert np.abs(np.array(corners(pixels[16:48])) - (RED, GREEN, BLUE, WHITE)).max() < 40

    @pytest.mark.parametrize("orientation", [1, 6])
    def test_a_region_keeps_its_own_shape(self, orientation, encoded):
        data = encoded(stored_with(orientation, 512, 256), "PNG", exif=exif_with(orientation))
        pixels = self.padded(data, region=(256, 0, 64, 128))  # of what is green
        inside = np.zeros((64, 64), bool)
        inside[:, 16:48] = True
        assert (pixels[inside] == GREEN).all()
        assert (pixels[~inside] == self.GREY).all()

    def test_transparent_parts_still_lie_on_white(self, encoded):
        pixels = self.padded(encoded(plain((0, 0, 0, 0), (64, 32), mode="RGBA"), "PNG"))
        assert corners(pixels) == [self.GREY] * 4
        assert tuple(pixels[32, 32]) == WHITE

    def test_the_size_is_the_pictures_own(self, encoded):
        picture = opened(encoded(plain(RED, (300, 20)), "PNG"), side=64, padding=self.GREY)
        assert (picture.width, picture.height) == (300, 20)

    @pytest.mark.parametrize(
        "size", [(1000, 800), (2000, 448), (456, 1104), (3000, 304), (1001, 803), (450, 1100)]
    )
    def test_a_scaled_jpeg_is_close_to_the_full_one(self, size, encoded, blobs):
        noise = np.random.default_rng(1).normal(0, 12, (size[1], size[0], 3))
        rough = np.clip(blobs(*size) + noise, 0, 255).astype(np.uint8)
        data = encoded(Image.fromarray(rough), "JPEG", quality=90)
        with Image.open(io.BytesIO(data)) as image:
            expected = laid_on(image.convert("RGB"), 112, self.GREY)
        found = self.padded(data, side=112)
        inside = (expected != self.GREY).any(axis=2)
        assert np.abs(found - expected)[inside].mean() < 0.6
        assert (found[~inside] == self.GREY).all()

    @pytest.mark.parametrize("size", [(895, 447), (447, 895), (895, 895)])
    @pytest.mark.parametrize("orientation", [1, 6])
    def test_a_jpeg_below_twice_the_doubled_size_is_not_scaled(
        self, size, orientation, encoded, blobs
    ):
        # It becomes 224 x 112: half of it is less than twice that.
        stored = Image.fromarray(blobs(*size))
        data = encoded(stored, "JPEG", quality=90, exif=exif_with(orientation))
        with Image.open(io.BytesIO(data)) as image:
            full = image.convert("RGB")
        upright = full.transpose(Image.Transpose.ROTATE_270) if orientation == 6 else full
        found = self.padded(data, side=224)
        assert np.array_equal(found, laid_on(upright, 224, self.GREY))

    def test_a_wide_jpeg_is_scaled_as_far_as_its_shape_allows(self, encoded, blobs, monkeypatch):
        """Squashed it needs all of its height, padded only what its shape leaves of it."""
        asked = []
        draft = Image.Image.draft

        def counted(image, mode, size):
            asked.append(size)
            return draft(image, mode, size)

        data = encoded(Image.fromarray(blobs(1800, 450)), "JPEG")
        monkeypatch.setattr("PIL.JpegImagePlugin.JpegImageFile.draft", counted)
        self.padded(data, side=112)
        opened(data, side=112)
        assert asked == [(224, 56), (224, 224)]


class TestRegion:
    @pytest.mark.parametrize("file_format", ["PNG", "JPEG"])
    @pytest.mark.parametrize(
        ("region", "colour"),
        [
            ((0, 0, 512, 256), RED),
            ((512, 0, 512, 256), GREEN),
            ((0, 256, 512, 256), BLUE),
            ((512, 256, 512, 256), WHITE),
        ],
    )
    @pytest.mark.parametrize("orientation", [1, 6, 7])
    def test_a_region_is_of_the_upright_picture_in_full_size(
        self, file_format, region, colour, orientation, encoded
    ):
        stored = stored_with(orientation, 1024, 512)
        data = encoded(stored, file_format, exif=exif_with(orientation))
        picture = opened(data, region=region, side=8)
        assert np.abs(picture.pixels.astype(int) - colour).max() < 40
        assert (picture.width, picture.height) == (1024, 512)

    def test_the_whole_picture_as_a_region_is_the_whole_picture(self, encoded, blobs):
        data = encoded(Image.fromarray(blobs(40, 30)), "PNG")
        assert np.array_equal(opened(data, region=(0, 0, 40, 30)).pixels, opened(data).pixels)

    @pytest.mark.parametrize(
        "region",
        [(0, 0, 0, 5), (0, 0, 5, 0), (-1, 0, 5, 5), (0, -1, 5, 5), (16, 0, 5, 5), (0, 6, 5, 5)],
    )
    def test_a_region_that_is_empty_or_outside_is_refused(self, region, encoded):
        with pytest.raises(InvalidArgument, match="20 x 10 pixels"):
            opened(encoded(plain(RED), "PNG"), region=region)


_SIDES = st.integers(-3, 15) | st.integers()


@given(_SIDES, _SIDES, _SIDES, _SIDES)
def test_a_region_is_what_lies_there_or_refused(x, y, width, height):
    pixels = np.arange(12 * 9 * 3, dtype=np.uint8).reshape(9, 12, 3)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    lies_within = min(x, y) >= 0 and min(width, height) > 0 and x + width <= 12 and y + height <= 9

    def found(side):
        region = (x, y, width, height)
        return decode(file.getvalue(), side=side, max_pixels=1000, region=region).pixels

    if not lies_within:
        with pytest.raises(InvalidArgument, match="12 x 9 pixels"):
            found(4)
    elif width == height:
        assert np.array_equal(found(width), pixels[y : y + height, x : x + width])
    else:
        assert found(4).shape == (4, 4, 3)
