"""Pictures as nobody makes them who means well: bombs, broken headers, and what is no picture."""

import io
import random
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from PIL import Image

from tests.support.bombs import with_last_scan_again


@dataclass(frozen=True)
class Input:
    """Bytes that are sent, and their name in a report."""

    name: str
    data: bytes


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    """Return the bytes of a picture in a format."""
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def small(seed: int = 0, side: int = 48, mode: str = "RGB") -> Image.Image:
    """Return a picture with something in it."""
    noise = random.Random(seed).randbytes(side * side * 3)  # noqa: S311 - no secret
    image = Image.frombytes("RGB", (side, side), noise).resize((side // 4, side // 4))
    return image.resize((side, side)).convert(mode)


def made() -> Iterator[Input]:
    """Yield all inputs."""
    yield from _no_pictures()
    yield from _headers()
    yield from _bombs()
    yield from _directories()
    yield from _polyglots()


def _no_pictures() -> Iterator[Input]:
    chance = random.Random(1)  # noqa: S311 - no secret
    yield Input("empty", b"")
    yield Input("one byte", b"\xff")
    yield Input("zeros", bytes(100_000))
    yield Input("random", chance.randbytes(100_000))
    yield Input("html", b"<!doctype html><script>alert(1)</script>")
    yield Input(
        "svg",
        b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>',
    )
    yield Input("pdf", b"%PDF-1.7\n1 0 obj<</OpenAction<</S/JavaScript>>>>endobj\n%%EOF")
    yield Input("eps", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(/etc/passwd) run\n")
    yield Input("shell", b"#!/bin/sh\ntouch /tmp/lookalike-was-here\n")
    yield Input("xml entities", b'<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>')


def _headers() -> Iterator[Input]:
    most = 2**31 - 1
    for width, height in [(most, most), (most, 1), (1, most), (0, 0), (0, 9), (65535, 65535)]:
        yield Input(f"png {width}x{height}", png_header(width, height))
        yield Input(f"bmp {width}x{height}", _bmp_header(width, height))
        if max(width, height) < 65536:
            yield Input(f"gif {width}x{height}", _gif_header(width, height))
            yield Input(f"jpeg {width}x{height}", _jpeg_with_size(width, height))
    for size in [(1, 1), (1, 65535), (65535, 1)]:
        yield Input(f"a thin png {size}", encoded(Image.new("RGB", size), "PNG"))
    yield Input("a bmp upside down", _bmp_header(16, -16) + bytes(16 * 16 * 3))
    for orientation in (*range(10), 99, 65535):
        exif = Image.Exif()
        exif[0x0112] = orientation
        yield Input(f"orientation {orientation}", encoded(small(), "JPEG", exif=exif))
    yield Input("broken exif", encoded(small(), "JPEG", exif=b"Exif\0\0MM\0*\xff\xff\xff\xff"))


def _bombs() -> Iterator[Input]:
    """Small files that are large or long to decode."""
    plain = Image.new("RGB", (16383, 3000), (1, 2, 3))
    yield Input("webp bomb", encoded(plain, "WEBP", lossless=True))
    yield Input("avif bomb", encoded(Image.new("RGB", (8000, 6000)), "AVIF", speed=10, quality=1))
    yield Input("png bomb", encoded(Image.new("L", (12_000, 12_000)), "PNG"))
    yield Input(
        "tiff bomb",
        encoded(Image.new("RGB", (9_000, 9_000)), "TIFF", compression="tiff_adobe_deflate"),
    )
    yield Input("gif bomb", encoded(Image.new("P", (10_000, 10_000)), "GIF"))
    yield Input("jpeg of 60 million pixels", encoded(Image.new("L", (10_000, 6_000)), "JPEG"))
    yield Input("progressive jpeg with 2,000 scans", scan_bomb(2_000))
    yield Input("progressive jpeg with 20,000 scans", scan_bomb(20_000, side=16))
    frames = [small(seed, 64).convert("P") for seed in range(500)]
    yield Input(
        "gif of 500 frames", encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    )
    yield Input(
        "webp of 500 frames", encoded(frames[0], "WEBP", save_all=True, append_images=frames[1:])
    )
    for kind in (b"zTXt", b"iTXt", b"iCCP"):
        yield Input(f"png {kind.decode()} bomb", _chunk_bomb(kind))
    yield Input("png with 200,000 chunks", _many_chunks(200_000))


def _directories() -> Iterator[Input]:
    """TIFFs whose structure goes round in circles or points to nowhere."""
    entry = struct.pack("<HHII", 256, 4, 1, 16) + struct.pack("<HHII", 257, 4, 1, 16)
    yield Input("tiff loop", b"II*\0" + struct.pack("<IH", 8, 2) + entry + struct.pack("<I", 8))
    far = struct.pack("<HHII", 273, 4, 2**31 - 1, 2**32 - 1)
    yield Input("tiff far strips", b"II*\0" + struct.pack("<IH", 8, 3) + entry + far + bytes(4))
    yield Input("tiff of many entries", b"II*\0" + struct.pack("<IH", 8, 65535) + entry * 2000)
    yield Input("bigtiff", b"II+\0\x08\0\0\0" + struct.pack("<QQ", 16, 2**63 - 1) + entry)


def _polyglots() -> Iterator[Input]:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as packed:
        packed.writestr("../../evil.py", "raise SystemExit")
    script = b"/*<script>alert(1)</script>*/"
    for kind in ("JPEG", "PNG", "GIF", "WEBP"):
        picture = encoded(small(), kind)
        yield Input(f"{kind} and zip", picture + archive.getvalue())
        yield Input(f"{kind} and script", picture + script)
        yield Input(f"half a {kind}", picture[: len(picture) // 2])
        yield Input(f"the beginning of a {kind}", picture[:16])
    yield Input("gif that is a script", b"GIF89a/*" + bytes(64) + b"*/=1;alert(1)")


def scan_bomb(scans: int, side: int = 3000) -> bytes:
    """Return a progressive JPEG with so many scans, all but the first few of them the last one."""
    picture = encoded(Image.new("L", (side, side), 99), "JPEG", progressive=True, quality=10)
    return with_last_scan_again(picture, scans - 1)


def png_header(width: int, height: int) -> bytes:
    """Return a PNG that claims a size and has nothing behind it."""
    size = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", size) + _chunk(b"IDAT", zlib.compress(b"\0"))


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _chunk_bomb(kind: bytes) -> bytes:
    zeros = zlib.compress(bytes(200 * 2**20), 9)
    beginning = {b"zTXt": b"Comment\0\0", b"iTXt": b"Comment\0\1\0\0\0", b"iCCP": b"sRGB\0\0"}[kind]
    picture = encoded(small(), "PNG")
    return picture[:33] + _chunk(kind, beginning + zeros) + picture[33:]


def _many_chunks(number: int) -> bytes:
    picture = encoded(small(), "PNG")
    return picture[:33] + _chunk(b"tEXt", b"Comment\0x") * number + picture[33:]


def _bmp_header(width: int, height: int) -> bytes:
    shape = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, 0, 0, 0, 0, 0)
    return b"BM" + struct.pack("<IHHI", 54, 0, 0, 54) + shape


def _gif_header(width: int, height: int) -> bytes:
    screen = struct.pack("<HHBBB", width, height, 0x80, 0, 0) + bytes(6)
    return b"GIF89a" + screen + b"," + struct.pack("<HHHHB", 0, 0, width, height, 0) + b"\x02\x00;"


def _jpeg_with_size(width: int, height: int) -> bytes:
    picture = bytearray(encoded(small(), "JPEG"))
    at = picture.index(b"\xff\xc0")
    picture[at + 5 : at + 9] = struct.pack(">HH", height, width)
    return bytes(picture)
