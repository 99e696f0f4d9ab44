import io
from pathlib import Path

import pytest
from PIL import Image

from client_sdk.errors import UsageError
from client_sdk.testing.pictures import MASK, boxes, masked, read

RED = Image.new("RGB", (8, 6), "red")


def png(picture: Image.Image = RED) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()


def test_every_kind_of_picture_is_read_alike(tmp_path):
    path = tmp_path / "red.png"
    path.write_bytes(png())
    with path.open("rb") as file:
        file.read(3)
        kinds = [path, str(path), png(), ("red.png", png()), file, io.BytesIO(png()), RED]
        shots = [read(kind) for kind in kinds]
        assert not file.closed
    assert {shot.image.tobytes() for shot in shots} == {RED.tobytes()}
    assert [shot.name for shot in shots] == ["red.png"] * 2 + ["picture", "red.png", "red.png"] + [
        "picture"
    ] * 2


@pytest.mark.parametrize("thing", [3, None, io.StringIO("text")])
def test_what_is_no_picture_is_refused(thing):
    with pytest.raises(UsageError, match="a picture cannot be a"):
        read(thing)


def test_bytes_that_are_no_picture_are_refused_by_name():
    with pytest.raises(UsageError, match=r"notes\.txt is no picture"):
        _ = read(("notes.txt", b"notes")).image


def test_what_is_transparent_is_white():
    clear = Image.new("RGBA", (2, 2), (255, 0, 0, 0))
    assert read(clear).image.getpixel((0, 0)) == (255, 255, 255)


def test_a_photograph_is_upright():
    exif = Image.Exif()
    exif[0x0112] = 6  # turned
    buffer = io.BytesIO()
    RED.save(buffer, "JPEG", exif=exif)
    assert read(buffer.getvalue()).image.size == (6, 8)


def test_a_box_is_painted_over_and_nothing_else():
    shot = masked(read(RED), boxes([(2, 1, 3, 2)]))
    grey = {(x, y) for x in range(8) for y in range(6) if shot.image.getpixel((x, y)) == MASK}
    assert grey == {(x, y) for x in (2, 3, 4) for y in (1, 2)}


def test_a_box_of_playwright_covers_every_pixel_that_it_touches():
    shot = masked(read(RED), boxes([{"x": 1.4, "y": 0.0, "width": 2.2, "height": 1.5}]))
    assert [shot.image.getpixel((x, 1)) == MASK for x in range(5)] == [
        False,
        True,
        True,
        True,
        False,
    ]


def test_without_boxes_the_bytes_stay():
    shot = read(png())
    assert masked(shot, ()).data == shot.data


@pytest.mark.parametrize(
    "box", [(1, 2, 3), (1, 2, 0, 4), (1, 2, 3, -1), {"x": 1}, ("a", 1, 2, 3), 5]
)
def test_what_is_no_box_is_refused(box):
    with pytest.raises(UsageError, match="box"):
        boxes([box])


def test_a_missing_file_is_an_error_of_python():
    with pytest.raises(FileNotFoundError):
        read(Path("nowhere.png"))
