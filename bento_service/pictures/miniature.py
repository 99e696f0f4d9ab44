"""Miniatures: small grey pictures that show whether two pictures are the same, pixel by pixel."""

import numpy as np
from numpy.typing import NDArray

from bento_service.pictures.perceptual_hash import GreyPicture, Hashes, hashes_of, stored

SIDE = 64
Miniature = NDArray[np.uint8]
"""(64, 64): a picture without uniform borders, in grey, squashed to a square."""


def prints_of(pixels: NDArray[np.uint8]) -> tuple[Hashes | None, Miniature]:
    """Return the hashes and the miniature of a whole picture (S, S, 3), squashed to a square."""
    picture = GreyPicture.of(pixels)
    return hashes_of(picture), picture.scaled(SIDE)


def stored_prints_of(pixels: NDArray[np.uint8]) -> tuple[bytes, bytes]:
    """Return the same as `prints_of` in the form in which the catalogue stores it."""
    hashes, miniature = prints_of(pixels)
    return stored(hashes), miniature.tobytes()


def restored(data: bytes) -> Miniature:
    """Return a miniature from its bytes, or raise `ValueError` if they do not fit."""
    return np.frombuffer(data, np.uint8).reshape(SIDE, SIDE)
