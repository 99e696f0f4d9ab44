"""Decoding in the test's process and in a decoder process gives the same results."""

import io
import threading

import numpy as np
import pytest
from PIL import Image

from bento_service.errors import (
    ImageUnreadable,
    InvalidArgument,
    LookalikeError,
    TooLarge,
    UnsupportedMediaType,
)
from bento_service.pictures.decoders.decoders import Decoders
from bento_service.pictures.decoders.process import DecoderLimits
from bento_service.pictures.in_process import decode, thumbnail
from client_sdk.decoding.formats import MEDIA_TYPES
from tests.support.local_decoder import LocalDecoder
from tests.support.waiting import run_threads

MAX_PIXELS, MAX_JPEG_PIXELS = 1_000_000, 2_000_000
GREY = (124, 117, 104)


@pytest.fixture(scope="module", params=["local", "processes"])
def decoder(request):
    if request.param == "local":
        yield LocalDecoder(MAX_PIXELS, MAX_JPEG_PIXELS)
    else:
        limits = DecoderLimits(MAX_PIXELS, MAX_JPEG_PIXELS, 2**30, 60.0)
        with Decoders(limits, count=2) as decoders:
            yield decoders


def rotated(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif.tobytes()


@pytest.mark.parametrize("file_format", MEDIA_TYPES)
@pytest.mark.parametrize("padding", [None, GREY])
def test_every_format_gives_its_pixels(decoder, encoded, file_format, padding):
    data = encoded(file_format)
    expected = decode(data, side=64, max_pixels=MAX_PIXELS, padding=padding)
    picture = decoder.decode(data, side=64, padding=padding)
    assert np.array_equal(picture.pixels, expected.pixels)
    assert (picture.width, picture.height, picture.format) == (300, 200, file_format)
    assert picture.warnings == ()


@pytest.mark.parametrize(
    ("file_format", "mode", "options"),
    [
        ("JPEG", "CMYK", {}),
        ("JPEG", "RGB", {"exif": rotated(6), "progressive": True}),
        ("PNG", "RGBA", {"exif": rotated(5)}),
        ("PNG", "I;16", {}),
        ("PNG", "P", {"transparency": 3}),
        ("TIFF", "F", {}),
        ("GIF", "1", {}),
    ],
)
def test_every_kind_of_samples_becomes_upright_rgb(decoder, encoded, file_format, mode, options):
    data = encoded(file_format, mode=mode, **options)
    expected = decode(data, side=64, max_pixels=MAX_PIXELS)
    assert np.array_equal(decoder.decode(data, side=64).pixels, expected.pixels)


def test_the_pixels_are_the_callers_own(decoder, encoded):
    picture = decoder.decode(encoded(), side=8)
    picture.pixels[:] = 0
    assert decoder.decode(encoded(), side=8).pixels.any()


def test_a_file_is_read_from_its_beginning(decoder, encoded):
    stream = io.BytesIO(encoded())
    stream.seek(99)
    expected = decoder.decode(encoded(), side=8)
    assert np.array_equal(decoder.decode(stream, side=8).pixels, expected.pixels)


def test_a_region_is_cut_out(decoder, encoded):
    data = encoded("PNG")
    with Image.open(io.BytesIO(data)) as image:
        expected = np.asarray(image.crop((10, 20, 74, 84)))
    assert np.array_equal(decoder.decode(data, side=64, region=(10, 20, 64, 64)).pixels, expected)


@pytest.mark.parametrize("region", [(0, 0, 0, 5), (299, 0, 2, 1), (0, 0, 10**30, 1)])
def test_a_region_outside_of_the_picture_is_refused(decoder, encoded, region):
    with pytest.raises(InvalidArgument, match="300 x 200 pixels"):
        decoder.decode(encoded(), side=8, region=region)


def test_the_user_is_warned_of_several_frames(decoder, encoded):
    more = [Image.new("RGB", (300, 200))]
    data = encoded("GIF", save_all=True, append_images=more)
    assert "only the first" in decoder.decode(data, side=8).warnings[0]


def test_a_thumbnail_is_a_small_webp(decoder, encoded):
    data = encoded(exif=rotated(6))
    small = decoder.thumbnail(data, side=32)
    assert small == thumbnail(data, side=32, max_pixels=MAX_PIXELS)
    with Image.open(io.BytesIO(small)) as image:
        assert (image.format, image.size) == ("WEBP", (21, 32))


@pytest.mark.parametrize("side", [16, 1024])
def test_thumbnails_of_every_size_come_back(decoder, side):
    file = io.BytesIO()
    Image.effect_noise((1000, 1000), 120).save(file, "PNG")
    assert decoder.thumbnail(file.getvalue(), side=side).startswith(b"RIFF")


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"", UnsupportedMediaType),
        (b"a letter to a friend", UnsupportedMediaType),
        (b"\x89PNG\r\n\x1a\n", ImageUnreadable),
        (b"\xff\xd8\xff" + bytes(99), ImageUnreadable),
    ],
)
def test_a_file_that_is_no_picture_is_rejected_with_advice(decoder, data, kind):
    for ask in (decoder.decode, decoder.thumbnail):
        with pytest.raises(kind, match="send"):
            ask(data, side=8)


def test_a_jpeg_may_have_more_pixels_than_the_others(decoder, encoded):
    assert decoder.decode(encoded("JPEG", (2000, 1000)), side=8).width == 2000
    for data in (encoded("PNG", (1001, 1000)), encoded("JPEG", (2001, 1000))):
        for ask in (decoder.decode, decoder.thumbnail):
            with pytest.raises(TooLarge, match="1000 pixels; at most"):
                ask(data, side=8)


def test_threads_get_their_own_pictures(decoder, encoded):
    pictures = [encoded(seed=seed) for seed in range(8)]
    expected = [decode(data, side=16, max_pixels=MAX_PIXELS).pixels for data in pictures]
    wrong = []

    def ask(number):
        for _ in range(20):
            try:
                found = decoder.decode(pictures[number], side=16).pixels
            except LookalikeError as error:
                wrong.append(error)
            else:
                if not np.array_equal(found, expected[number]):
                    wrong.append(number)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    run_threads(*threads)
    assert wrong == []
