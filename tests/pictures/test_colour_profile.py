"""Pictures with ICC profiles look and compare as they do in sRGB."""

import io
import struct

import numpy as np
import pytest
from PIL import Image, ImageCms

from bento_service.pictures.in_process import decode, thumbnail

RED = (230, 30, 30)
# Red, green and blue by ICC's connection space (D50), of the published colour spaces.
DISPLAY_P3 = (
    (0.51512, 0.24120, -0.00105),
    (0.29198, 0.69225, 0.04189),
    (0.15710, 0.06657, 0.78407),
)
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
RED_IN_P3 = (211, 55, 45)  # by the primaries and the curve that the two spaces are defined by


def profile(colorants, name="Wide"):
    """Return sRGB's profile with other primaries under another name."""
    changed = bytearray(SRGB.replace("sRGB".encode("utf-16-be"), name.encode("utf-16-be")))
    for tag, values in zip((b"rXYZ", b"gXYZ", b"bXYZ"), colorants, strict=True):
        at = changed.index(tag, 128)
        (offset,) = struct.unpack_from(">I", changed, at + 4)
        struct.pack_into(">3i", changed, offset + 8, *(round(value * 65536) for value in values))
    return bytes(changed)


def encoded(colour, icc_profile, file_format="PNG", mode="RGB", **options):
    file = io.BytesIO()
    picture = Image.new("RGB", (40, 20), colour).convert(mode)
    picture.save(file, file_format, icc_profile=icc_profile, **options)
    return file.getvalue()


def decoded(data, **options):
    return decode(data, side=8, max_pixels=10**6, **options)


@pytest.mark.parametrize("file_format", ["PNG", "JPEG", "WEBP", "TIFF", "AVIF"])
def test_wide_colours_become_those_of_srgb(file_format):
    options = {"quality": 100} if file_format in ("JPEG", "WEBP", "AVIF") else {}
    made = decoded(encoded(RED_IN_P3, profile(DISPLAY_P3), file_format, **options))
    assert np.abs(made.pixels.astype(int) - RED).max() <= 6
    assert made.warnings == ()


def test_palettes_and_transparency_are_no_exception():
    for mode in ("P", "RGBA"):
        made = decoded(encoded(RED_IN_P3, profile(DISPLAY_P3), mode=mode))
        assert np.abs(made.pixels.astype(int) - RED).max() <= 12


def test_a_padded_picture_and_a_region_are_converted_and_the_padding_is_not():
    data, grey = encoded(RED_IN_P3, profile(DISPLAY_P3)), (124, 117, 104)
    made = decoded(data, padding=grey).pixels
    assert tuple(made[0, 0]) == grey
    assert np.abs(made[4, 4].astype(int) - RED).max() <= 6
    part = decoded(data, region=(2, 2, 10, 10)).pixels
    assert np.abs(part.astype(int) - RED).max() <= 6


def test_a_thumbnail_is_converted():
    small = thumbnail(encoded(RED_IN_P3, profile(DISPLAY_P3)), side=16, max_pixels=10**6)
    with Image.open(io.BytesIO(small)) as image:
        shown = np.asarray(image.convert("RGB")).astype(int)
    assert np.abs(shown - RED).max() <= 8


def test_a_picture_in_srgb_keeps_every_level():
    ramp = np.arange(192, dtype=np.uint8).reshape(8, 8, 3)
    file = io.BytesIO()
    Image.fromarray(ramp).save(file, "PNG", icc_profile=SRGB)
    assert np.array_equal(decoded(file.getvalue()).pixels, ramp)


@pytest.mark.parametrize("broken", [b"no profile", SRGB[:300], bytes(200), SRGB + bytes(2**20)])
def test_a_broken_profile_is_ignored_and_the_user_is_warned(broken):
    made = decoded(encoded(RED, broken))
    assert (made.pixels == RED).all()
    assert "colour profile" in made.warnings[0]
    assert thumbnail(encoded(RED, broken), side=16, max_pixels=10**6).startswith(b"RIFF")


@pytest.mark.parametrize("mode", ["L", "CMYK"])
def test_a_profile_of_other_colours_than_the_samples_changes_nothing(mode):
    with_profile, without = (
        decoded(encoded(RED, icc_profile, "TIFF", mode=mode)).pixels
        for icc_profile in (profile(DISPLAY_P3), None)
    )
    assert np.array_equal(with_profile, without)
