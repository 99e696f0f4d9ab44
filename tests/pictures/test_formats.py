"""Pictures of every format, their texts and their previews."""

import io
import zlib

import numpy as np
import pytest
from PIL import Image, TiffImagePlugin

from bento_service.errors import (
    ImageUnreadable,
    UnsupportedMediaType,
)
from client_sdk.decoding.formats import MEDIA_TYPES
from tests.pictures.drawing import BLUE, GREEN, RED, chunk, exif_with, opened, plain

# Pillow warns about damaged metadata; what counts is what comes out.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:PIL")


LOSSLESS = {
    "PNG": {},
    "WEBP": {"lossless": True},
    "GIF": {},
    "BMP": {},
    "TIFF": {},
}


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
        """Return a TIFF of pictures with these NewSubfileTypes."""
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
