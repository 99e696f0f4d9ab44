import io
import random
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageOps, TiffImagePlugin

from bento_service.errors import (
    ImageUnreadable,
    InvalidArgument,
    LookalikeError,
    TooLarge,
    UnsupportedMediaType,
)
from bento_service.pictures.in_process import decode, thumbnail
from client_sdk.decoding.formats import MEDIA_TYPES

# Pillow warns about damaged metadata; what counts is what comes out.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:PIL")

CAP = 1_000_000
RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)
LOSSLESS = {
    "PNG": {},
    "WEBP": {"lossless": True},
    "GIF": {},
    "BMP": {},
    "TIFF": {},
}
ORIENTED = {
    "JPEG": {"quality": 95, "subsampling": 0},
    "PNG": {},
    "WEBP": {"lossless": True},
    "TIFF": {},
    "AVIF": {"quality": 95, "subsampling": "4:4:4"},
}


def opened(source, *, side=4, **options):
    return decode(source, side=side, max_pixels=CAP, **options)


def plain(colour, size=(20, 10), mode="RGB"):
    return Image.new(mode, size, colour)


def corners(pixels):
    """The four corner samples: top left, top right, bottom left, bottom right."""
    return [tuple(int(v) for v in pixels[y, x]) for y in (0, -1) for x in (0, -1)]


def exif_with(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif.tobytes()


def drawn(colour, box=(16, 16, 48, 48)):
    """A box of one colour, drawn on transparency."""
    image = Image.new("RGBA", (64, 64), (255, 255, 255, 0))
    image.paste((*colour, 255), box)
    return image


def palette(ink):
    """The same with a palette whose first entry is transparent."""
    image = Image.new("P", (64, 64), 0)
    image.putpalette([7, 7, 7, ink, ink, ink])
    image.paste(1, (16, 16, 48, 48))
    image.info["transparency"] = 0
    return image


def quartered(width=64, height=32):
    """Red, green, blue, white in the corners: top left, top right, bottom left, bottom right."""
    image = plain(WHITE, (width, height))
    image.paste(RED, (0, 0, width // 2, height // 2))
    image.paste(GREEN, (width // 2, 0, width, height // 2))
    image.paste(BLUE, (0, height // 2, width // 2, height))
    return image


# How a camera that was turned stores an upright picture, by EXIF orientation (TIFF 6.0, page 36):
# where row 0 and column 0 of the stored picture are in the upright one.
STORED_CORNERS = {
    1: (RED, GREEN, BLUE, WHITE),  # row 0 at the top, column 0 at the left
    2: (GREEN, RED, WHITE, BLUE),  # top, right
    3: (WHITE, BLUE, GREEN, RED),  # bottom, right
    4: (BLUE, WHITE, RED, GREEN),  # bottom, left
    5: (RED, BLUE, GREEN, WHITE),  # left, top
    6: (GREEN, WHITE, RED, BLUE),  # right, top
    7: (WHITE, GREEN, BLUE, RED),  # right, bottom
    8: (BLUE, RED, WHITE, GREEN),  # left, bottom
}


def stored_with(orientation, width=64, height=32):
    """The stored pixels of `quartered(width, height)`, taken with a camera turned like that."""
    if orientation >= 5:
        width, height = height, width
    image = Image.new("RGB", (width, height))
    boxes = [
        (x, y, x + width // 2, y + height // 2) for y in (0, height // 2) for x in (0, width // 2)
    ]
    for box, colour in zip(boxes, STORED_CORNERS[orientation], strict=True):
        image.paste(colour, box)
    return image


def chunk(kind, data):
    checksum = struct.pack(">I", zlib.crc32(kind + data))
    return struct.pack(">I", len(data)) + kind + data + checksum


def png_header(width, height):
    """A PNG that says how large it is and holds next to nothing."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = zlib.compress(b"\0")
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")
    )


class TestFormats:
    @pytest.mark.parametrize("file_format", MEDIA_TYPES)
    def test_every_format_is_recognised_by_its_content(self, file_format, encoded):
        picture = opened(encoded(plain((200, 100, 50)), file_format))
        assert (picture.format, picture.width, picture.height) == (file_format, 20, 10)
        assert picture.pixels.shape == (4, 4, 3)
        assert picture.pixels.dtype == np.uint8
        assert np.abs(picture.pixels.astype(int) - (200, 100, 50)).max() <= 4
        assert picture.warnings == ()

    def test_a_name_that_lies_changes_nothing(self, encoded, tmp_path):
        path = tmp_path / "photo.jpg"
        path.write_bytes(encoded(plain(GREEN), "PNG"))
        with path.open("rb") as file:
            assert opened(file).format == "PNG"

    def test_an_open_file_gives_what_its_bytes_give(self, encoded, blobs):
        data = encoded(Image.fromarray(blobs(50, 40)), "JPEG")
        assert np.array_equal(opened(io.BytesIO(data)).pixels, opened(data).pixels)

    @pytest.mark.parametrize("file_format", LOSSLESS)
    def test_the_same_pixels_come_out_of_every_lossless_format(self, file_format, encoded, blobs):
        image = Image.fromarray(blobs(40, 30)).quantize(200).convert("RGB")
        data = encoded(image, file_format, **LOSSLESS[file_format])
        assert np.array_equal(
            opened(data, side=16).pixels, opened(encoded(image, "PNG"), side=16).pixels
        )

    def test_the_squash_is_pillows_bilinear_filter_over_both_sides(self, encoded, blobs):
        image = Image.fromarray(blobs(60, 45))
        expected = image.resize((16, 16), Image.Resampling.BILINEAR)
        assert np.array_equal(opened(encoded(image, "PNG"), side=16).pixels, np.asarray(expected))

    def test_decoding_again_gives_the_same_pixels(self, encoded, blobs):
        data = encoded(Image.fromarray(blobs(900, 700)), "JPEG")
        assert np.array_equal(opened(data, side=64).pixels, opened(data, side=64).pixels)

    def test_a_telephones_jpeg_with_further_pictures_is_a_jpeg(self, encoded):
        data = encoded(plain(RED), "MPO", save_all=True, append_images=[plain(BLUE)])
        picture = opened(data)
        assert (picture.format, picture.warnings) == ("JPEG", ())
        assert np.abs(picture.pixels.astype(int) - RED).max() <= 4

    @pytest.mark.parametrize("file_format", ["GIF", "WEBP", "PNG", "TIFF", "AVIF"])
    def test_the_first_of_several_frames_counts_and_the_user_is_warned(self, file_format, encoded):
        more = [plain(GREEN), plain(BLUE)]
        picture = opened(encoded(plain(RED), file_format, save_all=True, append_images=more))
        assert np.abs(picture.pixels.astype(int) - RED).max() <= 4
        assert "only the first" in picture.warnings[0]


class TestTexts:
    """A sound PNG is read whatever its other chunks contain."""

    LONG = b"a" * (2**21)

    def with_chunks(self, encoded, *chunks):
        data = encoded(plain(RED), "PNG")
        return data[:33] + b"".join(chunks) + data[33:]

    def assert_red(self, data):
        picture = opened(data)
        assert (picture.pixels == RED).all()
        return picture

    def test_long_texts_are_left_out(self, encoded):
        packed = zlib.compress(self.LONG)
        for text in (
            chunk(b"zTXt", b"Comment\0\0" + packed),
            chunk(b"iTXt", b"Comment\0\1\0\0\0" + packed),
            chunk(b"tEXt", b"Comment\0" + self.LONG),
        ):
            assert self.assert_red(self.with_chunks(encoded, text)).warnings == ()

    def test_many_texts_are_left_out(self, encoded):
        text = chunk(b"zTXt", b"Comment\0\0" + zlib.compress(self.LONG[: 2**20]))
        self.assert_red(self.with_chunks(encoded, *[text] * 70))

    def test_a_large_profile_is_ignored_and_the_user_is_warned(self, encoded):
        profile = chunk(b"iCCP", b"large\0\0" + zlib.compress(self.LONG))
        picture = self.assert_red(self.with_chunks(encoded, profile))
        assert "colour profile" in picture.warnings[0]

    def test_a_text_says_how_the_picture_lies_as_before(self, encoded):
        long = chunk(b"zTXt", b"Comment\0\0" + zlib.compress(self.LONG))
        exif = chunk(b"eXIf", exif_with(6).removeprefix(b"Exif\0\0"))
        assert opened(self.with_chunks(encoded, long, exif)).width == 10

    def test_a_text_that_is_cut_off_is_still_damage(self, encoded):
        data = self.with_chunks(encoded, chunk(b"tEXt", b"Comment\0" + self.LONG))
        with pytest.raises(ImageUnreadable):
            opened(data[: 2**20])


class TestPreviews:
    def tiff(self, kinds, **tags):
        """A TIFF of pictures with these NewSubfileTypes."""
        file = io.BytesIO()
        pictures = [Image.new("RGB", (16, 12) if kind else (64, 48), RED) for kind in kinds]
        with TiffImagePlugin.AppendingTiffWriter(file, new=True) as writer:
            for kind, picture in zip(kinds, pictures, strict=True):
                about = TiffImagePlugin.ImageFileDirectory_v2()
                about[254] = kind
                for number, value in tags.items():
                    about[int(number.removeprefix("tag"))] = value
                picture.save(writer, "TIFF", tiffinfo=about)
                writer.newFrame()
        return file.getvalue()

    def test_a_preview_is_not_taken_for_the_picture_behind_it(self):
        with pytest.raises(UnsupportedMediaType, match="small preview"):
            opened(self.tiff([1, 0]))

    def test_a_preview_of_a_raw_file_is_not_taken_for_its_picture(self):
        with pytest.raises(UnsupportedMediaType, match="small preview"):
            opened(self.tiff([1], tag330=8))

    def test_a_preview_behind_the_picture_and_one_without_a_picture_are_no_matter(self):
        assert opened(self.tiff([0, 1])).width == 64
        assert opened(self.tiff([1])).width == 16


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


def laid_on(image, side, colour):
    """The whole picture in the middle of a square of that colour, by Pillow alone."""
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
