"""Perceptual hashes against ImageHash, whose bits are stored in catalogues.

The reference looks at every line of a picture for its borders, and lets ImageHash hash the picture
in each of its orientations; the service does neither.
"""

import imagehash
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from bento_service.pictures.perceptual_hash import GreyPicture, hashes_of
from tests.pictures.test_perceptual_hash import LEFT_RIGHT

SIDE, SMALL = 224, 32
TOLERANCE, RINGING, MIXED = 8, 8, 2


def blocks(seed: int, *, count: int = 7) -> np.ndarray:
    """Coloured blocks, by NumPy alone."""
    coarse = np.random.default_rng(seed).integers(0, 256, (count, count, 3), dtype=np.uint8)
    return np.kron(coarse, np.ones((SIDE // count, SIDE // count, 1), np.uint8))


def mirrored(pixels: np.ndarray) -> np.ndarray:
    return np.concatenate([pixels[:, : SIDE // 2], pixels[:, SIDE // 2 - 1 :: -1]], axis=1)


def border_above(lines: np.ndarray) -> float:
    """Lines of the border, and the share of the border's colour in the lines that follow."""
    beside = lines - np.median(lines[0], axis=0)
    deviation = np.abs(beside)
    plain = 0
    while plain < SIDE and deviation[plain].max() <= TOLERANCE:
        plain += 1
    for _ in range(RINGING if plain else 0):
        if plain < SIDE and deviation[plain].mean() <= TOLERANCE:
            plain += 1
        else:
            break
    if plain == 0 or plain >= SIDE - MIXED:
        return plain
    inside = beside[plain + MIXED]
    strength = max((inside**2).sum(), 1.0)
    shares = [(beside[plain + at] * inside).sum() / strength for at in range(MIXED)]
    return plain + sum(1.0 - min(max(share, 0.0), 1.0) for share in shares)


def contrast(grey: np.ndarray) -> float:
    """Return the standard deviation around the plane that fits the levels best."""
    rows, columns = np.mgrid[:SMALL, :SMALL]
    plane = np.stack([np.ones(SMALL**2), rows.ravel(), columns.ravel()], axis=1)
    levels = grey.ravel().astype(float)
    return (levels - plane @ np.linalg.lstsq(plane, levels)[0]).std()


def expected(pixels: np.ndarray) -> list[int] | None:
    """The hashes by ImageHash of the picture within its borders; none where they say nothing."""
    clean, borders = pixels, []
    for _ in range(4):
        borders.append(border_above(clean))
        mixed = min(int(borders[-1]) + MIXED, SIDE - 1) if borders[-1] else 0
        clean = clean.copy()
        clean[:mixed] = clean[mixed]
        clean = np.rot90(clean)
    top, right, bottom, left = borders
    box = (left, top, SIDE - right, SIDE - bottom)
    if SIDE - left - right < SMALL or SIDE - top - bottom < SMALL:
        clean, box = pixels, (0, 0, SIDE, SIDE)
    grey = Image.fromarray(np.ascontiguousarray(clean)).convert("L")
    small = grey.resize((SMALL, SMALL), Image.Resampling.LANCZOS, box)
    found = [
        int(str(imagehash.phash(side.rotate(-degrees))), 16)
        for side in (small, small.transpose(LEFT_RIGHT))
        for degrees in (0, 90, 180, 270)
    ]
    says_nothing = contrast(np.asarray(small)) < 5 or min(map(int.bit_count, found)) < 24
    return None if says_nothing else found


def found(pixels: np.ndarray) -> list[int] | None:
    made = hashes_of(GreyPicture.of(pixels))
    return None if made is None else made.tolist()


# Written by ImageHash 4.3.2 with SciPy 1.17.1 and Pillow 12; catalogues hold such hashes.
RECORDED = {
    1: [
        "d2b4f4e1217297d8",
        "a6e029b25437d34f",
        "871fa14b74d8c276",
        "f34a7d18019d87e5",
        "87e1a1b47427c2af",
        "a61f294d54c9d3f0",
        "d24bf41e218d9727",
        "f3b57ce70162861a",
    ],
    2: [
        "c95a8a3881dcecb7",
        "fa934601a35234ff",
        "9cf0de92d476b80c",
        "ae3813aaf6f86154",
        "9c0fde6dd489b822",
        "fa6c46fea3ad3400",
        "c9a58bc78123ed59",
        "afc61355f6076189",
    ],
    3: [
        "f605def968b2c340",
        "e2eec8e06cb5f206",
        "a3af8b533c18964b",
        "b7449d4a381fa6ac",
        "a3508bac3de796a4",
        "e211c81e6d4af3f1",
        "f6fade06684dc304",
        "b6bb9cb438e0a652",
    ],
}


@pytest.mark.parametrize("seed", RECORDED)
def test_hashes_are_those_that_catalogues_hold(seed):
    assert [f"{one:016x}" for one in found(blocks(seed))] == RECORDED[seed]


@settings(max_examples=30)
@given(seed=st.integers(0, 10**6), count=st.sampled_from([7, 14, 28]))
def test_all_orientations_have_the_bits_of_the_library(seed, count):
    pixels = blocks(seed, count=count)
    assert found(pixels) == expected(pixels) is not None


@settings(max_examples=30)
@given(seed=st.integers(0, 10**6), both=st.booleans())
def test_symmetrical_pictures_have_the_bits_of_the_library_too(seed, both):
    pixels = mirrored(blocks(seed, count=28))
    if both:
        pixels = mirrored(pixels.swapaxes(0, 1))
    assert found(pixels) == expected(pixels)


@settings(max_examples=30)
@given(seed=st.integers(0, 10**6))
def test_symmetry_about_a_diagonal_does_not_change_that(seed):
    half = blocks(seed, count=28) // 2
    pixels = half + half.swapaxes(0, 1)
    assert found(pixels) == expected(pixels) is not None


@settings(max_examples=60)
@given(
    seed=st.integers(0, 10**6),
    widths=st.tuples(*[st.just(0) | st.integers(0, 90)] * 4),
    colour=st.tuples(*[st.integers(0, 255)] * 3),
    spread=st.integers(0, 12),
)
def test_borders_end_where_a_look_at_all_lines_says(seed, widths, colour, spread):
    top, right, bottom, left = widths
    pixels = np.full((SIDE, SIDE, 3), colour, np.int64)
    inside = blocks(seed)[top : SIDE - bottom, left : SIDE - right]
    pixels[top : SIDE - bottom, left : SIDE - right] = inside
    pixels += np.random.default_rng(seed).integers(-spread, spread + 1, pixels.shape)
    framed = np.clip(pixels, 0, 255).astype(np.uint8)
    assert found(framed) == expected(framed)


def test_photographs_have_the_bits_of_the_library(photographs):
    for path in sorted(photographs.iterdir()):
        with Image.open(path) as picture:
            pixels = np.asarray(picture.convert("RGB").resize((SIDE, SIDE)))
        assert found(pixels) == expected(pixels)
