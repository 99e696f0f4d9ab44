"""Thumbnails."""

import io

import numpy as np
import pytest
from PIL import Image

from bento_service.errors import (
    TooLarge,
    UnsupportedMediaType,
)
from bento_service.pictures.in_process import thumbnail
from tests.pictures.drawing import (
    BLUE,
    CAP,
    GREEN,
    RED,
    STORED_CORNERS,
    WHITE,
    corners,
    exif_with,
    plain,
    png_header,
    stored_with,
)

# Pillow warns about damaged metadata; what counts is what comes out.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:PIL")


class TestThumbnails:
    def small(self, data, side=32):
        encoded = thumbnail(data, side=side, max_pixels=CAP)
        with Image.open(io.BytesIO(encoded)) as image:
            image.load()
            return image

    def test_a_thumbnail_is_a_webp_that_fits_and_keeps_the_shape(self, encoded, blobs):
        small = self.small(encoded(Image.fromarray(blobs(400, 200)), "JPEG"))
        assert (small.format, small.size) == ("WEBP", (32, 16))

    @pytest.mark.parametrize("orientation", STORED_CORNERS)
    def test_a_thumbnail_is_upright(self, orientation, encoded):
        stored = stored_with(orientation, 256, 128)
        small = self.small(encoded(stored, "JPEG", exif=exif_with(orientation)))
        assert small.size == (32, 16)
        seen = corners(np.asarray(small))
        assert np.abs(np.array(seen) - (RED, GREEN, BLUE, WHITE)).max() < 40

    def test_a_thumbnail_tells_nothing_but_pixels(self, encoded):
        exif = Image.Exif()
        exif[0x010E] = "taken at home"
        data = encoded(plain(RED, (64, 64)), "JPEG", exif=exif, icc_profile=b"a profile" * 20)
        small = thumbnail(data, side=32, max_pixels=CAP)
        assert not {b"EXIF", b"XMP ", b"ICCP"} & {small[at : at + 4] for at in range(len(small))}
        assert b"at home" not in small

    def test_a_small_picture_is_not_blown_up(self, encoded):
        assert self.small(encoded(plain(RED), "PNG")).size == (20, 10)

    def test_a_picture_one_pixel_wide_keeps_its_pixel(self, encoded):
        assert self.small(encoded(plain(RED, (1, 5000)), "PNG")).size == (1, 32)

    def test_a_transparent_thumbnail_lies_on_white(self, encoded):
        small = self.small(encoded(plain((0, 0, 0, 0), mode="RGBA"), "PNG"))
        assert small.mode == "RGB"
        assert min(corners(np.asarray(small))) >= (250, 250, 250)

    def test_thumbnails_refuse_what_decoding_refuses(self):
        with pytest.raises(UnsupportedMediaType):
            thumbnail(b"text", side=32, max_pixels=CAP)
        with pytest.raises(TooLarge):
            thumbnail(png_header(1001, 1000), side=32, max_pixels=CAP)
