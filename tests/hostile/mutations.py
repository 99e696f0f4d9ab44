"""Sound pictures with something changed, the same ones for the same seed."""

import random
import struct
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache

from PIL import Image

from tests.hostile.made import Input, encoded, small

_TELLING = (0, 1, 0x7F, 0x80, 0xFF)
_LENGTHS = (0, 1, 2**15, 2**16 - 1, 2**31 - 1, 2**31, 2**32 - 1)


@lru_cache
def seeds() -> tuple[Input, ...]:
    """Return one picture of every accepted format."""
    deep = Image.frombytes("I;16", (48, 48), random.Random(2).randbytes(48 * 48 * 2))  # noqa: S311
    exif = Image.Exif()
    exif[0x0112] = 6
    frames = [small(number) for number in range(3)]
    more = {"save_all": True, "append_images": frames}
    return (
        Input("jpeg", encoded(small(), "JPEG", exif=exif)),
        Input("progressive jpeg", encoded(small(), "JPEG", progressive=True)),
        Input("cmyk jpeg", encoded(small(mode="CMYK"), "JPEG")),
        Input("png", encoded(small(), "PNG")),
        Input("png with alpha", encoded(small(mode="RGBA"), "PNG")),
        Input("deep png", encoded(deep, "PNG")),
        Input("palette png", encoded(small(mode="P"), "PNG", transparency=3)),
        Input("gif", encoded(frames[0], "GIF", **more)),
        Input("lossy webp", encoded(small(), "WEBP")),
        Input("lossless webp", encoded(small(mode="RGBA"), "WEBP", lossless=True)),
        Input("animated webp", encoded(frames[0], "WEBP", **more)),
        Input("bmp", encoded(small(), "BMP")),
        Input("lzw tiff", encoded(small(), "TIFF", compression="tiff_lzw")),
        Input("jpeg tiff", encoded(small(), "TIFF", compression="jpeg")),
        Input("plain tiff", encoded(deep, "TIFF")),
        Input("avif", encoded(small(), "AVIF", speed=10)),
    )


def mutations(number: int, seed: int = 0) -> Iterator[Input]:
    """Yield `number` mutations, each with one to four changes."""
    for at in range(number):
        chance = random.Random(f"{seed} {at}")  # noqa: S311 - no secret
        origin = chance.choice(seeds())
        data = bytearray(origin.data)
        for _ in range(chance.randint(1, 4)):
            if data:
                chance.choice(_CHANGES)(data, chance)
        yield Input(f"mutation {seed}/{at} of {origin.name}", bytes(data))


def _flip(data: bytearray, chance: random.Random) -> None:
    data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)


def _set(data: bytearray, chance: random.Random) -> None:
    data[chance.randrange(len(data))] = chance.choice(_TELLING)


def _length(data: bytearray, chance: random.Random) -> None:
    at, order = chance.randrange(len(data)), chance.choice("<>")
    some = struct.pack(f"{order}I", chance.choice(_LENGTHS))
    data[at : at + 4] = some[: len(data) - at]


def _early_length(data: bytearray, chance: random.Random) -> None:
    """Most of what decides about sizes is at the beginning."""
    at = chance.randrange(min(64, len(data)))
    data[at : at + 2] = struct.pack(">H", chance.choice(_LENGTHS) & 0xFFFF)[: len(data) - at]


def _cut(data: bytearray, chance: random.Random) -> None:
    del data[chance.randrange(len(data)) :]


def _leave_out(data: bytearray, chance: random.Random) -> None:
    at = chance.randrange(len(data))
    del data[at : at + chance.randint(1, 64)]


def _repeat(data: bytearray, chance: random.Random) -> None:
    at = chance.randrange(len(data))
    data[at:at] = data[at : at + chance.randint(1, 256)] * chance.randint(1, 8)


def _splice(data: bytearray, chance: random.Random) -> None:
    other = chance.choice(seeds()).data
    data[chance.randrange(len(data)) :] = other[chance.randrange(len(other)) :]


_CHANGES: Sequence[Callable[[bytearray, random.Random], None]] = (
    _flip,
    _flip,
    _set,
    _length,
    _early_length,
    _cut,
    _leave_out,
    _repeat,
    _splice,
)
