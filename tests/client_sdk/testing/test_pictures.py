"""Pictures of assertions are decoded as the service decodes them."""

import io
import struct
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image, ImageCms, PngImagePlugin

from bento_service.errors import LookalikeError
from bento_service.pictures.in_process import decode
from client_sdk.errors import UsageError
from client_sdk.testing.masks import boxes
from client_sdk.testing.pictures import MASK, as_png, masked, read

RED = Image.new("RGB", (8, 6), "red")
SIDE = 8


def encoded(picture: Image.Image = RED, file_format: str = "PNG", **options) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, file_format, **options)
    return buffer.getvalue()


def quarters() -> Image.Image:
    """Return four colours, so that a turn shows."""
    picture = Image.new("RGB", (SIDE, SIDE), "red")
    picture.paste("blue", (4, 0, 8, 4))
    picture.paste("lime", (0, 4, 4, 8))
    return picture


def seen_by_both(data: bytes) -> tuple[np.ndarray, np.ndarray]:
    """Return the pixels that the assertions see, and those that the service describes."""
    service = decode(data, side=SIDE, max_pixels=10**6).pixels
    return np.asarray(read(data).image.convert("RGB")), service


def test_every_kind_of_picture_is_read_alike(tmp_path):
    path = tmp_path / "red.png"
    path.write_bytes(encoded())
    with path.open("rb") as file:
        file.read(3)
        kinds = [path, str(path), encoded(), ("red.png", encoded()), file, io.BytesIO(encoded())]
        shots = [read(kind) for kind in [*kinds, RED]]
        assert not file.closed
    assert {shot.image.tobytes() for shot in shots} == {RED.convert("RGBA").tobytes()}
    assert [shot.name for shot in shots] == ["red.png"] * 2 + ["picture", "red.png", "red.png"] + [
        "picture"
    ] * 2


@pytest.mark.parametrize("orientation", range(1, 9))
def test_an_image_of_pillow_and_its_file_show_the_same(orientation):
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    data = encoded(quarters().crop((0, 0, 8, 6)), exif=exif)
    from_file, from_image = read(data).image, read(Image.open(io.BytesIO(data))).image
    assert from_image.size == from_file.size == ((8, 6) if orientation < 5 else (6, 8))
    assert from_image.tobytes() == from_file.tobytes()


def test_deep_samples_of_an_image_of_pillow_are_scaled():
    deep = read(Image.fromarray(np.array([[0, 2**14, 2**15, 2**16 - 1]], np.uint16))).image
    assert [deep.getpixel((x, 0))[0] for x in range(4)] == [0, 64, 128, 255]


@pytest.mark.parametrize("thing", [3, None, io.StringIO("text")])
def test_a_value_that_is_not_a_picture_is_rejected(thing):
    with pytest.raises(UsageError, match="a picture cannot be"):
        read(thing)


def test_transparency_is_kept():
    clear = Image.new("RGBA", (2, 2), (255, 0, 0, 0))
    assert read(clear).image.getpixel((0, 0)) == (255, 0, 0, 0)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_rotated_picture_is_upright(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    ours, service = seen_by_both(encoded(quarters(), "PNG", exif=exif))
    assert np.array_equal(ours, service)


@pytest.mark.parametrize("file_format", ["PNG", "JPEG"])
def test_a_tag_that_pillow_cannot_write_is_ignored(file_format):
    place = 8 + 2 + 2 * 12 + 4
    exif = b"Exif\0\0II*\0" + struct.pack("<IH", 8, 2)
    exif += struct.pack("<HHIHH", 0x0112, 3, 1, 6, 0)  # turned
    exif += struct.pack("<HHIII", 0x011A, 10, 1, place, 0)  # a resolution of -1/0
    exif += struct.pack("<ii", -1, 0)
    ours, service = seen_by_both(encoded(quarters(), file_format, exif=exif))
    assert np.array_equal(ours, service)
    assert not np.array_equal(ours, np.asarray(quarters()))


@pytest.mark.parametrize("bits", [10, 12, 16])
def test_deep_greys_are_scaled_by_their_bits(bits):
    ramp = np.linspace(0, 2**bits - 1, SIDE * SIDE).reshape(SIDE, SIDE).astype(np.uint16)
    ours, service = seen_by_both(encoded(Image.fromarray(ramp)))
    assert np.array_equal(ours, service)
    assert ours.max() == 255


def test_a_profile_is_converted_to_srgb():
    lab_free = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
    plain, _ = seen_by_both(encoded(quarters(), icc_profile=lab_free.tobytes()))
    broken, service = seen_by_both(encoded(quarters(), icc_profile=b"broken"))
    assert np.array_equal(plain, np.asarray(quarters()))
    assert np.array_equal(broken, service)


def test_a_valid_file_with_long_texts_is_read():
    text = PngImagePlugin.PngInfo()
    text.add_text("notes", "a" * 2**21, zip=True)
    assert read(encoded(pnginfo=text)).image.size == (8, 6)


def test_only_the_first_frame_counts():
    frames = encoded(RED, "GIF", save_all=True, append_images=[Image.new("RGB", (8, 6), "blue")])
    assert read(frames).image.getcolors() == [(48, (255, 0, 0, 255))]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"notes",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"\0\0\0\x18ftypheic" + bytes(40),
        b"%PDF-1.7",
        encoded()[:40],
        encoded(RED, "JPEG")[:200],
    ],
)
def test_an_unreadable_picture_has_the_message_of_the_service(data):
    with pytest.raises(LookalikeError) as service:
        decode(data, side=SIDE, max_pixels=10**6)
    with pytest.raises(UsageError) as ours:
        _ = read(("shot.heic", data)).image
    assert str(ours.value) == f"shot.heic: {service.value}"


def test_a_large_jpeg_is_read_and_the_limit_of_pillow_is_kept():
    before = Image.MAX_IMAGE_PIXELS
    large = encoded(Image.new("L", (11_000, 8_600)), "JPEG", quality=10)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read(large).image.size == (11_000, 8_600)
    assert before == Image.MAX_IMAGE_PIXELS


def test_a_picture_over_the_limit_is_rejected_with_its_size():
    with pytest.raises(UsageError, match=r"8000 x 7000 pixels; at most 50000000"):
        _ = read(encoded(Image.new("1", (8_000, 7_000)))).image


@pytest.mark.parametrize(
    "box", [(1, 1, 2, 2), {"x": 1, "y": 1, "width": 2, "height": 2}, (1.2, 1.4, 1.5, 1.4)]
)
def test_a_box_is_painted_in_whole_pixels(box):
    shot = read(RED)
    painted = masked(shot, boxes([box], shot)).image
    grey = [(x, y) for x in range(8) for y in range(6) if painted.getpixel((x, y)) == MASK]
    assert grey == [(1, 1), (1, 2), (2, 1), (2, 2)]


@pytest.mark.parametrize("box", [(1, 2, 3), (1, 1, 0, 5), {"x": 1}, "1234", (0, 0, "a", 1)])
def test_a_value_that_is_not_a_box_is_rejected(box):
    with pytest.raises(UsageError, match="box"):
        boxes([box], read(RED))


def test_a_single_box_instead_of_a_list_is_rejected():
    with pytest.raises(UsageError, match="ignore is"):
        boxes("1234", read(RED))


@pytest.mark.parametrize("box", [(8, 0, 5, 5), (0, 6, 5, 5), (-9, 0, 5, 5), (900, 400, 10, 10)])
def test_a_box_outside_of_the_picture_is_named(box):
    shot = read(("shop.png", encoded()))
    with pytest.raises(UsageError, match=r"the box .* lies outside of shop\.png, .*8 x 6 pixels"):
        masked(shot, boxes([box], shot))


def test_a_box_masks_the_same_place_in_a_picture_of_another_scale():
    twice = read(as_png(RED.resize((16, 12))))
    painted = masked(twice, ((2, 1, 3, 2),), RED.size).image
    assert painted.crop((4, 2, 10, 6)).getcolors() == [(24, MASK)]
    assert (24, MASK) in painted.getcolors()


def test_a_path_names_its_picture():
    with pytest.raises(OSError, match="gone"):
        read(Path("gone.png"))
