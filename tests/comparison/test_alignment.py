"""Alignment of miniatures: copies of a photograph are confirmed, other pictures are not."""

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageOps

from bento_service.comparison.alignment import Pair, align, gaussian_blur
from bento_service.pictures.miniature import prints_of
from bento_service.pictures.perceptual_hash import closeness
from client_sdk import Orientation

NAMES = ("astronaut", "chelsea", "coffee")


def square(picture):
    return np.asarray(picture.resize((224, 224), Image.Resampling.BILINEAR))


def aligned(first, second, *, equal_hashes=False):
    (hashes_a, a), (hashes_b, b) = prints_of(square(first)), prints_of(square(second))
    (found,) = align([Pair(a, b, closeness(hashes_a, hashes_a if equal_hashes else hashes_b))])
    return found


def cropped(picture):
    width, height = picture.size
    return picture.crop((0, height // 10, width * 9 // 10, height))


def with_banner(picture):
    copy = picture.copy()
    top = copy.height * 44 // 100
    ImageDraw.Draw(copy).rectangle((0, top, copy.width, top + copy.height * 12 // 100), "yellow")
    return copy


EDITS = {
    "half": (lambda picture: picture.reduce(2), Orientation.UPRIGHT),
    "cropped": (cropped, Orientation.UPRIGHT),
    "banner": (with_banner, Orientation.UPRIGHT),
    "border": (lambda picture: ImageOps.expand(picture, 16, "white"), Orientation.UPRIGHT),
    "tilted": (lambda picture: picture.rotate(4), Orientation.UPRIGHT),
    "mirrored": (ImageOps.mirror, Orientation.MIRRORED),
    "mirrored crop": (lambda picture: ImageOps.mirror(cropped(picture)), Orientation.MIRRORED),
    "turned": (
        lambda picture: picture.transpose(Image.Transpose.ROTATE_90),
        Orientation.TURNED_90,
    ),
}

RECORDED = {
    "astronaut": (1.0, 0.9985, 0.7748, 0.997, 0.9375, 1.0, 0.9985, 1.0),
    "chelsea": (1.0, 0.9973, 0.7654, 1.0, 0.9061, 1.0, 0.9973, 1.0),
    "coffee": (1.0, 0.9903, 0.7529, 0.9937, 0.8946, 1.0, 0.9903, 1.0),
}
"""The agreements of each photograph with its `EDITS`, by an earlier, slower version."""


@pytest.fixture(params=NAMES)
def photograph(request, photographs):
    with Image.open(photographs / f"{request.param}.jpg") as picture:
        return picture.convert("RGB")


@pytest.mark.parametrize("edit", EDITS)
def test_an_edited_copy_shows_the_same_in_its_orientation(photograph, edit):
    change, orientation = EDITS[edit]
    found = aligned(photograph, change(photograph))
    assert found.is_same
    assert found.orientation is orientation


@pytest.mark.parametrize("name", NAMES)
def test_agreements_are_those_of_the_recorded_version(name, photographs):
    with Image.open(photographs / f"{name}.jpg") as picture:
        photograph = picture.convert("RGB")
    found = [aligned(photograph, change(photograph)).agreement for change, _ in EDITS.values()]
    assert found == pytest.approx(RECORDED[name], abs=5e-3)


def test_other_photographs_show_something_else(photograph, photographs):
    others = [Image.open(path).convert("RGB") for path in sorted(photographs.iterdir())]
    same = [aligned(photograph, other).is_same for other in others]
    assert sum(same) == 1  # itself


@pytest.mark.parametrize("level", [0, 255])
def test_a_picture_without_detail_shows_nothing(photograph, level):
    blank = Image.new("RGB", photograph.size, (level,) * 3)
    assert aligned(blank, blank).agreement == aligned(photograph, blank).agreement == 0.0


def test_detail_contradicts_hashes_only_where_there_is_some(photograph, photographs):
    across = np.linspace(0, 3, 224)
    waves = 127 + 100 * np.sin(across) * np.cos(2 * across[:, None])
    noise = np.random.default_rng(0).normal(0, 2, waves.shape)
    smooth, again = (
        Image.fromarray(v.astype(np.uint8)).convert("RGB") for v in (waves, waves + noise)
    )
    assert not aligned(smooth, again, equal_hashes=True).contradicts_hash
    assert not aligned(photograph, photograph.reduce(2)).contradicts_hash
    with Image.open(photographs / "rocket.jpg") as other:
        rocket = other.convert("RGB")
    assert aligned(photograph, rocket, equal_hashes=True).contradicts_hash
    assert not aligned(photograph, rocket).contradicts_hash


def test_many_pairs_are_aligned_as_each_alone(photographs):
    pictures = [square(Image.open(path).convert("RGB")) for path in sorted(photographs.iterdir())]
    small = [prints_of(picture)[1] for picture in pictures]
    pairs = [Pair(a, b[:, ::-1], None) for a in small for b in small]
    together = align(pairs)
    assert [one.agreement for one in together] == pytest.approx(
        [align([pair])[0].agreement for pair in pairs], abs=1e-3
    )
    assert align([]) == []


def test_the_reverse_has_the_inverse_orientation(photograph):
    forth = aligned(photograph, photograph.transpose(Image.Transpose.ROTATE_90))
    assert forth.reversed().orientation is Orientation.TURNED_270


@pytest.mark.parametrize(("side", "sigma"), [(32, 1.5), (64, 3.0), (64, 1.5)])
def test_no_weight_of_a_blur_is_subnormal(side, sigma):  # a processor multiplies these slowly
    blur = gaussian_blur(side, sigma)
    assert blur[blur > 0].min() >= np.finfo(np.float32).tiny
    assert blur.sum(axis=1) == pytest.approx(np.ones(side))
