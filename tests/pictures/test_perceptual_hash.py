"""Perceptual hashes, by what must not change them, and by an independent computation."""

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from bento_service.pictures.in_process import decode
from bento_service.pictures.perceptual_hash import (
    MAX_HASH_DISTANCE,
    ORIENTATIONS,
    GreyPicture,
    closeness,
    hashes_of,
    restored,
    stored,
)
from client_sdk import Orientation

SIDE = 224
LEFT_RIGHT, CLOCKWISE = Image.Transpose.FLIP_LEFT_RIGHT, Image.Transpose.ROTATE_270


def scene(seed: int) -> Image.Image:
    """Blobs of light and dark, as coarse as those of a photograph."""
    random = np.random.default_rng(seed)
    coarse = random.integers(0, 256, (7, 9, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((360, 280), Image.Resampling.BICUBIC)


def lying(picture: Image.Image, orientation: Orientation) -> Image.Image:
    """Turn and mirror a picture as the name of an `Orientation` describes."""
    degrees = orientation.rpartition("turned_")[2] if "turned" in orientation else 0
    turned = picture.transpose(LEFT_RIGHT) if orientation.startswith("mirrored") else picture
    for _ in range(int(degrees) // 90):
        turned = turned.transpose(CLOCKWISE)
    return turned


def hashes(picture: Image.Image, *, quality: int | None = None):
    encoded = io.BytesIO()
    picture.save(encoded, "JPEG" if quality else "PNG", quality=quality or 90)
    made = decode(encoded.getvalue(), side=SIDE, max_pixels=10**7)
    return hashes_of(GreyPicture.of(made.pixels))


def plain(level: np.ndarray) -> np.ndarray:
    grey = np.clip(level, 0, 255).astype(np.uint8)
    return np.repeat(grey[:, :, None], 3, axis=2)


@settings(max_examples=12)
@given(seed=st.integers(0, 10**6), orientation=st.sampled_from(ORIENTATIONS))
def test_a_turned_picture_is_the_same_and_it_is_said_how_it_lies(seed, orientation):
    picture = scene(seed)
    found = closeness(hashes(lying(picture, orientation)), hashes(picture))
    assert (found.is_same, found.orientation) == (True, orientation)


@settings(max_examples=12, derandomize=True)
@given(
    name=st.sampled_from(["astronaut", "chelsea", "coffee", "rocket", "ihc"]),
    size=st.tuples(st.integers(240, 480), st.integers(240, 480)),
    quality=st.integers(50, 95),
    # Into a narrower one the blocks of a JPEG ring from end to end.
    border=st.tuples(st.just(0) | st.integers(18, 40), st.sampled_from([0, 255])),
    orientation=st.sampled_from(ORIENTATIONS),
)
def test_scaled_saved_framed_and_turned_it_is_still_the_same(
    name, size, quality, border, orientation, photographs
):
    picture = Image.open(photographs / f"{name}.jpg")
    framed = ImageOps.expand(picture.resize(size), border[0], (border[1],) * 3)
    found = closeness(hashes(picture), hashes(lying(framed, orientation), quality=quality))
    assert found.distance <= MAX_HASH_DISTANCE


@settings(max_examples=12)
@given(one=st.integers(0, 10**6), other=st.integers(0, 10**6))
def test_the_distance_is_the_same_both_ways(one, other):
    a, b = hashes(scene(one)), hashes(scene(other))
    assert closeness(a, b).distance == closeness(b, a).distance
    assert closeness(a, a).distance == 0


def test_other_pictures_are_far_away(photographs):
    found = [hashes(Image.open(path)) for path in sorted(photographs.iterdir())]
    distances = [closeness(a, b).distance for at, a in enumerate(found) for b in found[at + 1 :]]
    assert len(distances) == 15
    assert min(distances) > 2 * MAX_HASH_DISTANCE


rows, columns = np.mgrid[0:SIDE, 0:SIDE].astype(float)
noise = np.random.default_rng(0).normal(0, 6, (SIDE, SIDE))


@pytest.mark.parametrize(
    "level",
    [
        np.zeros((SIDE, SIDE)),
        np.full((SIDE, SIDE), 255.0),
        128 + noise,
        columns,
        0.4 * columns + 0.6 * rows,
        0.5 * rows + noise,
        np.where((abs(rows - 100) < 40) & (abs(columns - 90) < 50), 0.0, 255.0),
    ],
    ids=["black", "white", "noise", "slope", "diagonal slope", "noisy slope", "one block"],
)
def test_a_picture_without_anything_in_it_has_no_hash(level):
    assert hashes_of(GreyPicture.of(plain(level))) is None


def test_a_picture_without_a_hash_is_near_to_none():
    assert closeness(None, hashes(scene(1))) is None
    assert closeness(hashes(scene(1)), None) is None


def test_hashes_come_back_from_the_catalogue_as_they_were():
    made = hashes(scene(1))
    assert len(stored(made)) == 64
    assert restored(stored(made)).tolist() == made.tolist()
    assert stored(None) == b""
    assert restored(b"") is None
    assert restored(None) is None
    with pytest.raises(ValueError, match="cannot reshape"):
        restored(b"12345678")
