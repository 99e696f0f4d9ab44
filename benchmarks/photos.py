"""Sets of pictures for measurements, made from the user's photographs."""

import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

SMALL = (500, 375)
LARGE = (4000, 3000)
_QUALITY = 90
_GRAIN = 7.0
"""The standard deviation of noise in enlarged pictures, which makes their files 3 to 5 MB."""


class NoPhotographs(Exception):
    """A folder without photographs."""


def make(
    source: Path,
    target: Path,
    *,
    size: tuple[int, int],
    count: int,
    parts: int = 1,
    first: int = 0,
) -> None:
    """Write JPEGs of one size into `target/0`, `target/1` and so on.

    No two are the same: if there are too few photographs, they are reused mirrored, and then with
    other crops. Enlarged pictures get noise like a sensor's. Without it, their files would be a
    third as large as those of a telephone, and faster to decode.

    Args:
        source: A folder with photographs.
        target: An empty folder, or one to create.
        size: The width and height in pixels.
        count: The number of pictures.
        parts: The number of folders.
        first: The number of the first picture; equal numbers give equal pictures.

    Raises:
        NoPhotographs: `source` has no photographs.
    """
    grain = np.random.default_rng(0).normal(0, _GRAIN, (size[1], size[0], 1)).astype(np.int16)
    for number, photo in islice(enumerate(_endlessly(source)), first, first + count):
        folder = target / str(number % parts)
        folder.mkdir(parents=True, exist_ok=True)
        picture = ImageOps.fit(photo, size, Image.Resampling.BICUBIC)
        if size[0] > photo.width:
            shifted = np.roll(grain, 997 * number)
            noisy = np.asarray(picture, np.int16) + shifted
            picture = Image.fromarray(noisy.clip(0, 255).astype(np.uint8))
        picture.save(folder / f"{number:05}.jpg", quality=_QUALITY)


def _endlessly(source: Path) -> Iterator[Image.Image]:
    files = sorted((path for path in source.rglob("*") if path.is_file()), key=os.fsencode)
    turn = 0
    while True:
        found = 0
        for file in files:
            try:
                with Image.open(file) as opened:
                    photo = ImageOps.exif_transpose(opened).convert("RGB")
            except (UnidentifiedImageError, OSError):
                continue
            found += 1
            yield _varied(photo, turn)
        if found == 0:
            raise NoPhotographs(f"{source} holds no photographs; name a folder that does")
        turn += 1


def _varied(photo: Image.Image, turn: int) -> Image.Image:
    mirrored = ImageOps.mirror(photo) if turn % 2 else photo
    cut = 1 - 0.9 ** (turn // 2)
    return ImageOps.crop(mirrored, int(cut * min(photo.size) / 2))
