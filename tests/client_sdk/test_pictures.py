"""Requests with pictures of Pillow, NumPy and browsers, with URLs and with ids."""

import base64
import io
import subprocess
import sys
import threading

import httpx
import numpy as np
import pytest
from PIL import Image

from client_sdk import UsageError
from tests.support.answers import found

FOUND = found()
COLOURS = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)


@pytest.fixture
def sent(service, ask, multipart):
    """Return the name and the bytes of the file that a search with a picture sends."""

    def send(picture):
        answers = service(httpx.Response(200, json=FOUND))
        ask(answers, lambda client: client.search(picture))
        return multipart(answers.requests[0])[-1][1:]

    return send


@pytest.fixture
def decoded(sent):
    """Return the file that a search with a picture sends, as an image of Pillow."""

    def send(picture):
        _, content = sent(picture)
        image = Image.open(io.BytesIO(content))
        assert image.format == "PNG"
        image.load()
        return image

    return send


@pytest.mark.parametrize("shape", [(5, 7), (5, 7, 3), (5, 7, 4), (1, 1), (1, 300, 3)])
def test_an_array_is_sent_as_the_same_pixels(shape, decoded):
    array = np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8)
    image = decoded(array)
    assert image.mode == {2: "L", 3: "RGB", 4: "RGBA"}[len(shape) if len(shape) == 2 else shape[2]]
    assert np.array_equal(np.asarray(image), array)


def test_a_view_of_an_array_is_sent_as_it_is_seen(decoded):
    blue_first = COLOURS[::2, ::-1, ::-1]
    assert np.array_equal(np.asarray(decoded(blue_first)), blue_first)


@pytest.mark.parametrize(
    ("array", "advice"),
    [
        (COLOURS / 255, r"\(255 \* array\).round\(\).astype\('uint8'\)"),
        (COLOURS > 9, r"array.astype\('uint8'\) \* 255"),
        (COLOURS.astype(np.uint16), r"\(array >> 8\)"),
        (COLOURS.astype(np.int32), "give uint8"),
        (COLOURS[np.newaxis], r"list\(array\)"),
        (COLOURS[..., :1], r"array\[..., 0\]"),
        (COLOURS.transpose(2, 0, 1), r"array.transpose\(1, 2, 0\)"),
        (COLOURS[..., :2], r"array\[..., ::-1\]"),
        (COLOURS[:0], "has no pixels"),
        (np.uint8([1, 2]), r"give \(H, W\)"),
    ],
)
def test_an_array_that_is_not_a_picture_is_rejected_with_advice(array, advice, sent):
    with pytest.raises(UsageError, match=advice):
        sent(array)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBa", "La", "CMYK"])
def test_an_image_of_pillow_looks_the_same_when_it_arrives(mode, decoded):
    via = {"RGBa": "RGBA", "La": "LA", "PA": "P"}.get(mode, mode)
    image = Image.fromarray(np.tile(COLOURS, (3, 3, 1))).convert(via).convert(mode)
    expected = image.convert("RGBA") if mode != "La" else image.convert("LA").convert("RGBA")
    difference = np.asarray(decoded(image).convert("RGBA")).astype(int) - np.asarray(expected)
    assert np.abs(difference).max() <= 1


@pytest.mark.parametrize("mode", ["I", "I;16", "I;16B"])
def test_sixteen_bits_stay_sixteen_bits(mode, decoded):
    values = np.array([[0, 1, 256], [1000, 40_000, 65_535]], np.int32)
    image = (
        Image.fromarray(values).convert(mode)
        if mode != "I;16B"
        else Image.frombytes("I;16B", (3, 2), values.astype(">u2").tobytes())
    )
    arrived = decoded(image)
    assert arrived.mode.startswith("I")
    assert np.array_equal(np.asarray(arrived.convert("I")), values)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_an_image_of_pillow_arrives_upright_and_without_its_metadata(orientation, decoded):
    stored = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = orientation, "secret maker"
    Image.fromarray(COLOURS).save(stored, "PNG", exif=exif)
    image = Image.open(stored)

    arrived = decoded(image)

    from PIL import ImageOps

    assert np.array_equal(np.asarray(arrived), np.asarray(ImageOps.exif_transpose(image)))
    assert dict(arrived.getexif()) == {}


def test_the_colour_profile_of_an_image_is_sent(decoded):
    image = Image.fromarray(COLOURS)
    image.info["icc_profile"] = b"profile"
    assert decoded(image).info["icc_profile"] == b"profile"


@pytest.mark.parametrize(
    ("image", "advice"),
    [
        (Image.new("F", (2, 2)), "scale it to 0..255"),
        (Image.new("I", (2, 2), 70_000), "outside of 0..65535"),
    ],
)
def test_an_image_of_pillow_that_cannot_be_sent_says_what_to_do(image, advice, sent):
    with pytest.raises(UsageError, match=advice):
        sent(image)


def test_an_image_of_pillow_keeps_the_name_of_its_file(tmp_path, sent):
    Image.fromarray(COLOURS).save(tmp_path / "cat.jpg")
    assert sent(Image.open(tmp_path / "cat.jpg"))[0] == "cat.png"
    assert sent(Image.fromarray(COLOURS))[0] == "upload-1.png"


def test_several_kinds_of_pictures_fit_into_one_upload(service, ask, multipart, job_body):
    answers = service(httpx.Response(202, json=job_body()))
    pictures = [Image.fromarray(COLOURS), COLOURS, bytearray(b"b"), memoryview(b"m")]
    ask(answers, lambda client: client.upload(pictures))
    ask(answers, lambda client: client.upload(COLOURS))
    ask(answers, lambda client: client.upload(Image.fromarray(COLOURS)))
    names = [[name for _, name, _ in multipart(one)[1:]] for one in answers.requests]
    assert names == [
        ["upload-1.png", "upload-2.png", "upload-3", "upload-4"],
        ["upload-1.png"],
        ["upload-1.png"],
    ]


def test_pictures_are_encoded_outside_of_the_event_loop(service, monkeypatch):
    import asyncio

    from client_sdk import AsyncClient
    from client_sdk._calls import png

    threads = []

    def noted(array):
        threads.append(threading.current_thread())
        return b"png"

    monkeypatch.setattr(png, "array_png", noted)

    async def run():
        answers = service(httpx.Response(200, json=FOUND))
        async with AsyncClient(transport=httpx.MockTransport(answers)) as client:
            await client.search(COLOURS)

    asyncio.run(run())
    assert len(threads) == 1
    assert threads[0] is not threading.main_thread()


def test_a_screenshot_is_a_picture_but_its_base64_is_rejected(sent):
    screenshot = io.BytesIO()
    Image.fromarray(np.tile(COLOURS, (9, 9, 1))).save(screenshot, "PNG")
    assert sent(screenshot.getvalue())[1] == screenshot.getvalue()
    text = base64.b64encode(screenshot.getvalue()).decode()
    for one in (text, f"data:image/png;base64,{text}"):
        with pytest.raises(UsageError, match=r"get_screenshot_as_png\(\)"):
            sent(one)


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("https://shop.example/cat.jpg", "url"),
        ("HTTP://shop.example/cat.jpg", "url"),
        (7, "image_id"),
        (np.int64(7), "image_id"),
    ],
)
def test_a_url_or_an_id_is_a_query(query, field, service, ask):
    answers = service(httpx.Response(200, json=FOUND))
    ask(answers, lambda client: client.search(query, top_k=3))
    body = httpx.Response(200, content=answers.requests[0].content).json()
    assert (body[field], body["top_k"]) == (query, 3)


@pytest.mark.parametrize(
    ("picture", "advice"),
    [
        ("https://shop.example/cat.jpg", "is a URL, which only a query may be"),
        (7, "id of a stored image"),
        ("\0PNG", "cannot contain a NUL character"),
    ],
)
def test_urls_and_ids_cannot_be_uploaded(picture, advice, service, ask):
    with pytest.raises(UsageError, match=advice):
        ask(service(httpx.Response(500)), lambda client: client.upload(picture))


def test_an_asynchronous_file_is_rejected(sent):
    class File:
        async def read(self):
            return b""

    with pytest.raises(UsageError, match=r"await file.read\(\)"):
        sent(File())


def test_neither_numpy_nor_pillow_is_imported_for_bytes(tmp_path):
    script = (
        "import httpx, sys; from client_sdk import Client\n"
        f"answer = {FOUND!r}\n"
        "transport = httpx.MockTransport(lambda request: httpx.Response(200, json=answer))\n"
        "Client(transport=transport).search(b'x')\n"
        "print([name for name in ('numpy', 'PIL') if name in sys.modules])"
    )
    ran = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=120
    )
    assert ran.stdout == "[]\n"
