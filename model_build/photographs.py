"""Photographs as a network takes them, and those of scikit-image, to check a network on."""

import hashlib
import importlib.util
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bento_service.descriptors.version import Preprocessing
from bento_service.pictures.in_process import decode
from client_sdk.decoding.formats import MAX_JPEG_PIXELS, MAX_PIXELS, Colour, Region
from model_build.errors import PhotographsMissing

GOLDEN = ("astronaut.png", "chelsea.png", "coffee.png")
"""The photographs of the golden vectors."""

_SHA256 = {
    "astronaut.png": "88431cd9653ccd539741b555fb0a46b61558b301d4110412b5bc28b5e3ea6cb5",
    "chelsea.png": "596aa1e7cb875eb79f437e310381d26b338a81c2da23439704a73c4651e8c4bb",
    "coffee.png": "cc02f8ca188b167c775a7101b5d767d1e71792cf762c33d6fa15a4599b5a8de7",
    "rocket.jpg": "c2dd0de7c538df8d111e479619b129464d0269d0ae5fd18ca91d33a7fdfea95c",
    "motorcycle_left.png": "db18e9c4157617403c3537a6ba355dfeafe9a7eabb6b9b94cb33f6525dd49179",
    "retina.jpg": "38a07f36f27f095e818aea7b96d34202c05176d30253c66733f2e00379e9e0e6",
    "coins.png": "f8d773fc9cfa6f4d8e5942dc34d0a0788fcaed2a4fefbbed0aef5398d7ef4cba",
    "hubble_deep_field.jpg": "3a19c5dd8a927a9334bb1229a6d63711b1c0c767fb27e2286e7c84a3e2c2f5f4",
}
CHECKED = tuple(_SHA256)
"""The photographs that a converted network is compared on."""


@dataclass(frozen=True)
class Square:
    """A decoder of pictures to squares, with the limits of the service; see `decode`."""

    side: int
    padding: Colour | None = None

    def __call__(self, content: bytes, region: Region | None = None) -> NDArray[np.uint8]:
        """Return the picture as (S, S, 3) uint8, RGB.

        Raises:
            LookalikeError: The picture cannot be read; see `decode`.
        """
        return decode(
            content,
            side=self.side,
            padding=self.padding,
            max_pixels=MAX_PIXELS,
            max_jpeg_pixels=MAX_JPEG_PIXELS,
            region=region,
        ).pixels


def photographs(
    names: Iterable[str], preprocessing: Preprocessing, *, folder: Path | None = None
) -> NDArray[np.uint8]:
    """Decode some of `CHECKED` as the service does, to (N, S, S, 3) uint8, RGB.

    They are read from `folder`, by default that of scikit-image.

    Raises:
        PhotographsMissing: scikit-image is not installed, or ships other pictures.
    """
    folder = folder or _folder()
    square = Square(preprocessing.size, preprocessing.padding)
    return np.stack([square(_content(folder / name)) for name in names])


def _folder() -> Path:
    package = importlib.util.find_spec("skimage")
    if package is None or package.origin is None:
        raise PhotographsMissing("scikit-image is not installed; install lookalike-service[model]")
    return Path(package.origin).parent / "data"


def _content(path: Path) -> bytes:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise PhotographsMissing(
            f"scikit-image ships no {path.name}; install the versions of requirements/run.txt"
        ) from error
    if hashlib.sha256(content).hexdigest() != _SHA256[path.name]:
        raise PhotographsMissing(
            f"scikit-image's {path.name} is another picture; install the versions of "
            "requirements/run.txt"
        )
    return content
