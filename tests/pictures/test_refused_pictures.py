"""Pictures that are rejected, and damaged pictures."""

import random
import struct

import numpy as np
import pytest
from PIL import Image

from bento_service.errors import (
    ImageUnreadable,
    LookalikeError,
    TooLarge,
    UnsupportedMediaType,
)
from bento_service.pictures.in_process import decode
from client_sdk.decoding.formats import MEDIA_TYPES
from tests.pictures.drawing import BLUE, GREEN, RED, opened, plain, png_header

# Pillow warns about damaged metadata; what counts is what comes out.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:PIL")


class TestRefusals:
    @pytest.mark.parametrize(
        "data",
        [
            b"",
            b"\0" * 500,
            b"a letter to a friend, long enough to be one",
            b"<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'/>",
            b"<?xml version='1.0'?><svg/>",
            b"%PDF-1.7\n1 0 obj\n<<>>\nendobj\n",
            b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
            b"<!doctype html><title>no</title>",
            b"P6 1 1 255\nabc",
            b"RIFF\x24\0\0\0WAVEfmt " + bytes(28),
            b"\0\0\1\0\1\0\x10\x10\0\0\1\0\x20\0" + bytes(60),
        ],
        ids=["empty", "zeros", "text", "svg", "xml", "pdf", "eps", "html", "ppm", "wav", "ico"],
    )
    def test_a_file_of_no_supported_format_is_rejected(self, data):
        with pytest.raises(UnsupportedMediaType, match="send one of JPEG, PNG"):
            opened(data)

    @pytest.mark.parametrize(
        ("data", "name"),
        [
            (b"", "the file is empty"),
            (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "HEIC is"),
            (b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic", "HEIC is"),
            (b"\0\0\0\x18ftypmp42\0\0\0\0isommp42", "a film is"),
            (b"\xff\x0a\xfa\x7f\1\x90\x08", "JPEG XL is"),
            (b"\0\0\0\x0cJXL \r\n\x87\n", "JPEG XL is"),
            (b"\xef\xbb\xbf\n<?xml version='1.0'?><!-- a --><svg/>", "SVG is"),
            (b"%PDF-1.7\n1 0 obj\n", "PDF is"),
            (b"<!DOCTYPE html><title>no</title>", "a web page"),
        ],
    )
    def test_ignored_parts_are_named(self, data, name):
        with pytest.raises(UnsupportedMediaType, match=f"{name}.*; send one of JPEG, PNG"):
            opened(data)

    @pytest.mark.parametrize("file_format", MEDIA_TYPES)
    def test_half_a_picture_is_unreadable(self, file_format, encoded):
        noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
        data = encoded(Image.fromarray(noise), file_format)
        with pytest.raises(ImageUnreadable):
            opened(data[: len(data) // 2])

    @pytest.mark.parametrize("file_format", MEDIA_TYPES)
    def test_a_beginning_and_nothing_else_is_unreadable(self, file_format, encoded):
        with pytest.raises(ImageUnreadable):
            opened(encoded(plain(RED), file_format)[:16])

    @pytest.mark.parametrize("size", [(0, 0), (0, 5), (5, 0)])
    def test_a_picture_without_pixels_is_unreadable(self, size):
        with pytest.raises(ImageUnreadable):
            opened(png_header(*size))

    def test_a_gif_without_pixels_is_unreadable(self):
        with pytest.raises(ImageUnreadable):
            opened(b"GIF89a\0\0\0\0\0\0\0,\0\0\0\0\0\0\0\0\0\x02\0;")

    def test_more_pixels_than_allowed_are_refused_by_the_header_alone(self):
        with pytest.raises(TooLarge, match="1001 x 1000 pixels; at most 1000000"):
            opened(png_header(1001, 1000))

    def test_as_many_pixels_as_allowed_are_read(self, encoded):
        assert decode(encoded(plain(RED), "PNG"), side=4, max_pixels=200).width == 20

    def test_the_largest_header_is_refused(self):
        with pytest.raises(TooLarge):
            decode(png_header(2**31 - 1, 2**31 - 1), side=4, max_pixels=100_000_000)

    @pytest.mark.parametrize(
        ("options", "alpha"),
        [({"lossless": True}, False), ({"lossless": True}, True), ({}, False), ({}, True)],
    )
    def test_the_size_of_a_webp_is_known_before_its_pixels_are_held(
        self, options, alpha, encoded, monkeypatch
    ):
        image = plain((1, 2, 3, 99) if alpha else RED, (301, 107), "RGBA" if alpha else "RGB")
        data = encoded(image, "WEBP", **options)
        assert decode(data, side=4, max_pixels=301 * 107).width == 301
        monkeypatch.setattr(Image, "open", None)
        with pytest.raises(TooLarge, match="301 x 107"):
            decode(data, side=4, max_pixels=301 * 107 - 1)

    def test_the_size_of_an_animated_webp_is_known_too(self, encoded, monkeypatch):
        more = [plain(BLUE, (301, 107))]
        data = encoded(plain(RED, (301, 107)), "WEBP", save_all=True, append_images=more)
        monkeypatch.setattr(Image, "open", None)
        with pytest.raises(TooLarge, match="301 x 107"):
            decode(data, side=4, max_pixels=301 * 107 - 1)

    def test_a_frame_larger_than_the_gifs_screen_counts(self, encoded):
        data = bytearray(encoded(plain(RED, (100, 100)), "GIF"))
        data[6:10] = struct.pack("<HH", 1, 1)
        with pytest.raises(TooLarge, match="100 x 100"):
            decode(bytes(data), side=4, max_pixels=9_999)

    def test_the_message_names_no_python_object(self):
        with pytest.raises(ImageUnreadable) as caught:
            opened(png_header(5, 5))
        assert "0x" not in str(caught.value)
        assert "<" not in str(caught.value)


class TestDamage:
    """Seeded mutations of small valid files; a longer run of them found the list of exceptions."""

    def samples(self, encoded, blobs):
        image = Image.fromarray(blobs(20, 16))
        again = image.rotate(90)
        few = image.quantize(16)
        deep = Image.fromarray(blobs(20, 16).astype(np.uint16)[..., 0] * 250)
        exif = Image.Exif()
        exif[0x0112], exif[0x010E], exif[0x011A] = 6, "words", 72.0
        several = {"save_all": True, "append_images": [again]}
        yield encoded(image, "JPEG", exif=exif)
        yield encoded(image.convert("CMYK"), "JPEG", progressive=True, exif=exif)
        yield encoded(image, "MPO", exif=exif, **several)
        yield encoded(image, "PNG", exif=exif)
        yield encoded(image, "PNG", **several)
        yield encoded(few, "PNG", transparency=3)
        yield encoded(deep, "PNG")
        yield encoded(image, "WEBP", exif=exif)
        yield encoded(image, "WEBP", **several)
        yield encoded(few, "GIF", save_all=True, append_images=[again.quantize(16)])
        yield encoded(few, "BMP")
        yield encoded(image, "TIFF", exif=exif)
        yield encoded(image, "TIFF", compression="tiff_lzw")
        yield encoded(deep, "TIFF", compression="tiff_deflate")
        yield encoded(few, "TIFF", big_tiff=True)
        yield encoded(image, "AVIF", exif=exif)

    @pytest.mark.parametrize("kind", [2, 5, 7, 11], ids=["text", "rational", "bytes", "float"])
    def test_a_tiff_whose_strips_begin_at_no_number_is_unreadable(self, kind, encoded):
        data = bytearray(encoded(plain(RED), "TIFF"))
        at = data.index(struct.pack("<HH", 273, 4))  # Pillow raised TypeError
        data[at + 2 : at + 4] = struct.pack("<H", kind)
        with pytest.raises(ImageUnreadable):
            opened(bytes(data))

    def test_a_gif_that_ends_where_a_later_frame_begins_is_unreadable(self, encoded):
        frames = {"save_all": True, "append_images": [plain(GREEN)], "duration": 50}
        data = encoded(plain(RED), "GIF", **frames)
        second = data.rindex(b"!\xf9\x04")  # 8 bytes, then 10 that say where the frame lies
        with pytest.raises(ImageUnreadable):  # Pillow raised IndexError
            opened(data[: second + 18])

    def damaged(self, data, chance):
        data = bytearray(data)
        for _ in range(chance.choice((1, 1, 2, 4))):
            data = data or bytearray(1)
            at = chance.randrange(min(len(data), chance.choice((40, 200, 10_000))))
            kind = chance.randrange(5)
            if kind == 0:
                data[at] = chance.randrange(256)
            elif kind == 1:
                data[at] ^= 1 << chance.randrange(8)
            elif kind == 2:
                data[at : at + 4] = chance.choice(
                    (b"\xff\xff\xff\xff", bytes(4), b"\x7f\xff\xff\xff")
                )
            elif kind == 3:
                del data[at : at + chance.randrange(1, 20)]
            else:
                del data[at + 1 :]
        return bytes(data)

    def test_any_damage_raises_an_error_of_the_service(self, encoded, blobs):
        chance = random.Random(7)  # noqa: S311 - to be repeated, not to be secret
        refused = 0
        for data in self.samples(encoded, blobs):
            for _ in range(25):
                try:
                    opened(self.damaged(data, chance))
                except LookalikeError:
                    refused += 1
        assert 100 < refused < 400  # the rest could still be read
