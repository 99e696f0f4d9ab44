"""Upright pictures, and pictures that are scaled while they are decoded."""

import io
import struct

import numpy as np
import pytest
from PIL import Image, ImageOps

from bento_service.pictures.in_process import decode
from tests.pictures.drawing import (
    BLUE,
    CAP,
    GREEN,
    RED,
    STORED_CORNERS,
    WHITE,
    corners,
    exif_with,
    opened,
    quartered,
    stored_with,
)

# Pillow warns about damaged metadata; what counts is what comes out.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:PIL")


ORIENTED = {
    "JPEG": {"quality": 95, "subsampling": 0},
    "PNG": {},
    "WEBP": {"lossless": True},
    "TIFF": {},
    "AVIF": {"quality": 95, "subsampling": "4:4:4"},
}


class TestOrientation:
    @pytest.mark.parametrize("orientation", STORED_CORNERS)
    @pytest.mark.parametrize("file_format", ORIENTED)
    def test_pixels_and_size_are_upright(self, file_format, orientation, encoded):
        options = ORIENTED[file_format]
        stored = stored_with(orientation)
        data = encoded(stored, file_format, exif=exif_with(orientation), **options)
        picture = opened(data)
        assert (picture.width, picture.height) == (64, 32)
        difference = np.abs(np.array(corners(picture.pixels)) - (RED, GREEN, BLUE, WHITE))
        assert difference.max() < 40

    @pytest.mark.parametrize("orientation", [0, 9, 99])
    def test_an_orientation_that_does_not_exist_is_none(self, orientation, encoded):
        picture = opened(encoded(quartered(), "PNG", exif=exif_with(orientation)))
        assert (picture.width, picture.height) == (64, 32)
        assert corners(picture.pixels) == [RED, GREEN, BLUE, WHITE]

    def test_a_large_jpeg_that_is_scaled_while_decoding_is_upright_too(self, encoded):
        data = encoded(stored_with(6, 1024, 512), "JPEG", exif=exif_with(6))
        picture = opened(data, side=8)
        assert (picture.width, picture.height) == (1024, 512)
        assert np.abs(np.array(corners(picture.pixels)) - (RED, GREEN, BLUE, WHITE)).max() < 40

    @pytest.mark.parametrize(
        "exif", [b"Exif\0\0garbage", b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0"]
    )
    def test_a_picture_with_damaged_exif_is_read_as_it_is_stored(self, exif, encoded):
        picture = opened(encoded(quartered(), "JPEG", quality=95, exif=exif))
        assert (picture.width, picture.height) == (64, 32)
        assert np.abs(np.array(corners(picture.pixels)) - (RED, GREEN, BLUE, WHITE)).max() < 40

    def test_a_tag_that_pillow_cannot_write_again_does_not_stop_the_turning(self, encoded):
        # One tag of the right place and the wrong type; Pillow raised TypeError for it.
        tags = struct.pack(">HHIHH", 0x0112, 3, 1, 6, 0) + struct.pack(
            ">HHII", 0x011A, 2, 4, 0x61626300
        )
        exif = b"Exif\0\0MM\0*\0\0\0\x08" + struct.pack(">H", 2) + tags + bytes(4)
        data = encoded(stored_with(6), "JPEG", quality=95, exif=exif)
        picture = opened(data)
        assert (picture.width, picture.height) == (64, 32)
        assert np.abs(np.array(corners(picture.pixels)) - (RED, GREEN, BLUE, WHITE)).max() < 40


class TestScalingWhileDecoding:
    def full(self, data, side):
        with Image.open(io.BytesIO(data)) as image:
            squashed = image.convert("RGB").resize((side, side), Image.Resampling.BILINEAR)
        return np.asarray(squashed, dtype=np.float64)

    @pytest.mark.parametrize("size", [(1000, 800), (2000, 448), (450, 1100)])
    def test_a_scaled_jpeg_is_close_to_the_full_one(self, size, encoded, blobs):
        noise = np.random.default_rng(1).normal(0, 12, (size[1], size[0], 3))
        rough = np.clip(blobs(*size) + noise, 0, 255).astype(np.uint8)
        data = encoded(Image.fromarray(rough), "JPEG", quality=90)
        difference = opened(data, side=112).pixels - self.full(data, 112)
        assert np.abs(difference).mean() < 0.6

    @pytest.mark.parametrize("orientation", range(1, 9))
    def test_no_edge_is_stretched_where_the_scale_does_not_divide_a_side(
        self, orientation, encoded, blobs
    ):
        # A quarter of 901 pixels is 225.25, which are decoded as 226.
        stored = Image.fromarray(blobs(901, 901))
        data = encoded(stored, "JPEG", quality=95, exif=exif_with(orientation))
        with Image.open(io.BytesIO(data)) as image:
            full = ImageOps.exif_transpose(image).resize((112, 112), Image.Resampling.BILINEAR)
        difference = opened(data, side=112).pixels - np.asarray(full, dtype=np.float64)
        assert np.abs(difference).mean() < 0.5

    def test_a_jpeg_below_twice_the_doubled_side_is_not_scaled(self, encoded, blobs):
        # Half of 896 would be 448, twice of 224: here nothing may be left out.
        data = encoded(Image.fromarray(blobs(895, 895)), "JPEG", quality=90)
        assert np.array_equal(decode(data, side=224, max_pixels=CAP).pixels, self.full(data, 224))

    def test_a_scaled_jpeg_tells_its_real_size(self, encoded, blobs):
        picture = opened(encoded(Image.fromarray(blobs(1001, 803)), "JPEG"), side=8)
        assert (picture.width, picture.height) == (1001, 803)
