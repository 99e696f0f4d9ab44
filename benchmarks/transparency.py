"""Measurement of the ground under transparent pictures: what vanishes, and which scores change.

    python -m benchmarks.transparency [--models MODELS]

Logos are drawn in several inks on transparency, saved as PNG, WebP and GIF, and read with the
ground that the service chooses, and always on white, black or grey. A logo has vanished if all of
its pixels have nearly the same colour. Then the different logos of an ink are compared with each
other, and each logo with a copy on a white, a black and a checked page.
"""

import argparse
import io
import itertools
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from benchmarks import machine
from benchmarks.grown_images import LINES
from bento_service.comparison.alignment import Pair, align
from bento_service.comparison.verdict import Likeness, cosine
from bento_service.pictures.miniature import Miniature, prints_of
from bento_service.pictures.perceptual_hash import Hashes, closeness
from client_sdk.decoding import upright
from client_sdk.schemas.compare import Verdict
from model_build.evaluation.describers import Describer, describers
from model_build.photographs import Square

SIDE = 320
_SQUARE = 224
_VANISHED = 24
"""The largest difference of levels in a picture in which nothing is seen."""
_CHECK = 16

INKS: Mapping[str, tuple[str, str]] = {
    "black": ("black", "black"),
    "white": ("white", "white"),
    "black and white": ("black", "white"),
    "mid grey": ("#808080", "#808080"),
    "red": ("#c62828", "#c62828"),
}
"""The colours of the upper and of the lower half of a logo."""
GROUNDS: Mapping[str, int | None] = {"chosen": None, "white": 255, "black": 0, "grey": 128}
"""The grey levels under transparency; `None` is the choice of the service."""
FORMATS = ("PNG", "WEBP", "GIF")
PAGES = ("white", "black", "checked")
_Draw = ImageDraw.ImageDraw


def _cross(draw: _Draw, ink: str) -> None:
    draw.rectangle((130, 30, 190, 290), ink)
    draw.rectangle((30, 130, 290, 190), ink)


def _bars(draw: _Draw, ink: str) -> None:
    for x in range(40, 280, 60):
        draw.rectangle((x, 40, x + 30, 280), ink)


def _words(text: str) -> Callable[[_Draw, str], None]:
    return lambda draw, ink: draw.text((160, 160), text, ink, font_size=90, anchor="mm")


SHAPES: Mapping[str, Callable[[_Draw, str], None]] = {
    "disc": lambda draw, ink: draw.ellipse((40, 40, 280, 280), ink),
    "ring": lambda draw, ink: draw.ellipse((40, 40, 280, 280), outline=ink, width=36),
    "triangle": lambda draw, ink: draw.polygon([(160, 30), (290, 280), (30, 280)], ink),
    "cross": _cross,
    "bars": _bars,
    "total": _words("Total\n12.00"),
    "failed": _words("FAIL\n99.50"),
}


@dataclass(frozen=True)
class _Read:
    """A picture as the service reads it."""

    pixels: NDArray[np.uint8]
    descriptor: NDArray[np.float32]
    hashes: Hashes | None
    miniature: Miniature

    @property
    def has_vanished(self) -> bool:
        return bool(np.ptp(self.pixels.astype(int), axis=(0, 1)).max() < _VANISHED)


def drawn(shape: str, ink: str) -> Image.Image:
    """Return a logo on transparency."""
    logo, lower = (Image.new("RGBA", (SIDE, SIDE)) for _ in range(2))
    for half, colour in zip((logo, lower), INKS[ink], strict=True):
        SHAPES[shape](ImageDraw.Draw(half), colour)
    box = 0, SIDE // 2, SIDE, SIDE
    logo.paste(lower.crop(box), box)
    return logo


def _on_page(logo: Image.Image, page: str) -> Image.Image:
    ground = Image.new("RGBA", logo.size, "black" if page == "black" else "white")
    if page == "checked":
        draw = ImageDraw.Draw(ground)
        for x, y in itertools.product(range(0, SIDE, _CHECK), repeat=2):
            if (x + y) // _CHECK % 2:
                draw.rectangle((x, y, x + _CHECK - 1, y + _CHECK - 1), "#cccccc")
    return Image.alpha_composite(ground, logo).convert("RGB")


def _saved(picture: Image.Image, format_name: str) -> bytes:
    encoded = io.BytesIO()
    picture.save(encoded, format_name, **({"lossless": True} if format_name == "WEBP" else {}))
    return encoded.getvalue()


def _read(describer: Describer, content: bytes) -> _Read:
    (name,) = describer.names
    pixels = Square(_SQUARE)(content)
    descriptor = describer.describe(pixels[np.newaxis])[name][0]
    return _Read(pixels, descriptor, *prints_of(pixels))


def _likeness(one: _Read, other: _Read) -> Likeness:
    near = closeness(one.hashes, other.hashes)
    (aligned,) = align([Pair(one.miniature, other.miniature, near)])
    score = cosine(one.descriptor, other.descriptor)
    return Likeness(score, same_bytes=False, closeness=near, lines=LINES, alignment=aligned)


@contextmanager
def _fixed(level: int | None) -> Iterator[None]:
    """Put transparency on a grey level; `None` leaves the choice to the service."""
    if level is None:
        yield
        return
    with mock.patch.object(upright, "_ground_of", return_value=level):
        yield


def _rows(describer: Describer, ground: str, ink: str) -> Iterator[str]:
    """Yield the cells of a row of the table."""
    logos = {shape: drawn(shape, ink) for shape in SHAPES}
    with _fixed(GROUNDS[ground]):
        read = {
            (shape, form): _read(describer, _saved(logo, form))
            for shape, logo in logos.items()
            for form in FORMATS
        }
    vanished = sum(one.has_vanished for one in read.values())
    yield f"{vanished} of {len(read)}"
    pngs = [read[shape, "PNG"] for shape in SHAPES]
    pairs = [_likeness(*pair) for pair in itertools.combinations(pngs, 2)]
    same = sum(pair.verdict is Verdict.DUPLICATE for pair in pairs)
    yield f"{same} of {len(pairs)}, {max(pair.score for pair in pairs):.3f}"
    formats = [
        _likeness(read[shape, "PNG"], read[shape, form]) for shape in SHAPES for form in FORMATS
    ]
    yield f"{min(pair.score for pair in formats):.3f}"
    for page in PAGES:
        copies = [
            _likeness(read[shape, "PNG"], _read(describer, _saved(_on_page(logo, page), "PNG")))
            for shape, logo in logos.items()
        ]
        found = sum(pair.verdict is Verdict.DUPLICATE for pair in copies)
        yield f"{found} of {len(copies)}, {np.median([pair.score for pair in copies]):.3f}"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", type=Path)
    options = parser.parse_args()
    print(machine.described())
    threads = len(os.sched_getaffinity(0))
    (describer,) = describers(["vgg16-rmac4"], options.models, threads=threads)
    print(
        "| ground | ink | vanished | different logos called a duplicate, highest score | lowest "
        "score between formats | "
        + " | ".join(f"copies on a {page} page found, median score" for page in PAGES)
        + " |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for ground, ink in itertools.product(GROUNDS, INKS):
        print(f"| {ground} | {ink} | {' | '.join(_rows(describer, ground, ink))} |", flush=True)


if __name__ == "__main__":
    main()
