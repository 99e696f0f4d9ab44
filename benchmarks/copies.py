"""Measurement of how many duplicates the service finds, and how many of them are right.

    python -m benchmarks.copies FOLDER... [--copies 120] [--seed 1] [--descriptor vgg16-rmac4]

The gallery of a sample holds pictures, and one edited copy of each of some of them, drawn at
random. Its groups are those of the service with its exact index. A pair is right if it is a copy
and its original; the shares have 95 % intervals by Wilson's method ("Probable inference, the law of
succession, and statistical inference", 1927). The folders must have no copies of their own: what
joins two of their pictures counts as wrong.

A constant must not be chosen on the pictures that it is judged by. So the pictures are split by
their SHA-256 into two halves with copies of their own, drawn with different seeds. The table of
`LEAST_AGREEMENT` comes from the tuning half. The report half, and both halves together, are
measured with the value of the service.
"""

import argparse
import hashlib
import io
import itertools
import math
import os
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import numpy as np
from PIL import Image, ImageDraw, ImageFont, ImageOps
from tqdm import tqdm

from benchmarks import machine
from benchmarks.duplicates import walked
from benchmarks.grown_images import LINES, SPACE, Made, fill
from bento_service.catalogue import Catalogue
from bento_service.catalogue.records import Computed
from bento_service.comparison import alignment
from bento_service.comparison.duplicate_groups import Duplicates
from bento_service.gallery.exact import ExactGallery
from bento_service.pictures.miniature import prints_of
from bento_service.pictures.perceptual_hash import closeness
from model_build.evaluation.describers import Describer, describers
from model_build.evaluation.edits import edited_copy
from model_build.evaluation.folders import pictures_in
from model_build.photographs import Square

_BATCH = 8
_BANNER = 0.12
_LEAST_AGREEMENTS = (0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7)
_Edit = Callable[[Image.Image, np.random.Generator], Image.Image]


def _cropped(side: float) -> _Edit:
    def crop(picture: Image.Image, random: np.random.Generator) -> Image.Image:
        width, height = round(picture.width * side), round(picture.height * side)
        left = int(random.integers(picture.width - width + 1))
        top = int(random.integers(picture.height - height + 1))
        return picture.crop((left, top, left + width, top + height))

    return crop


def _bordered(picture: Image.Image, random: np.random.Generator) -> Image.Image:
    width = round(0.06 * max(picture.size))
    return ImageOps.expand(picture, width, (int(random.choice((0, 255))),) * 3)


def _bannered(place: float) -> _Edit:
    """Cover a strip with text, at the top (0), at the bottom (1) or between."""

    def cover(picture: Image.Image, random: np.random.Generator) -> Image.Image:
        copy = picture.copy()
        height = round(_BANNER * copy.height)
        top = round(place * (copy.height - height))
        colour = tuple(random.integers(0, 256, 3).tolist())
        draw = ImageDraw.Draw(copy)
        draw.rectangle((0, top, copy.width, top + height), colour)
        ink = "white" if sum(colour) < 384 else "black"
        middle = (copy.width / 2, top + height / 2)
        draw.text(middle, "SALE 50 % OFF", ink, ImageFont.load_default(height * 0.6), anchor="mm")
        return copy

    return cover


_OWN: dict[str, _Edit] = {
    "crop90": _cropped(0.9),
    "crop90-area": _cropped(0.9**0.5),
    "border6": _bordered,
    "banner-top": _bannered(0.0),
    "banner-middle": _bannered(0.5),
    "banner-bottom": _bannered(1.0),
}
EDITS = ("half-size", "jpeg30", "flip", "rotate90", "tilt", "greyscale", *_OWN)
"""The edits: those of `model_build.evaluation.edits`, and crops to 90 % of the sides or of the
area, a border of 6 %, and text over 12 % of the height."""


def _copy(content: bytes, edit: str, seed: int) -> bytes:
    if edit not in _OWN:
        return edited_copy(content, edit=edit, seed=seed)
    shown = Image.open(io.BytesIO(edited_copy(content, edit="jpeg70", seed=seed)))
    encoded = io.BytesIO()
    _OWN[edit](shown, np.random.default_rng([seed, len(content)])).save(encoded, "JPEG", quality=85)
    return encoded.getvalue()


@dataclass(frozen=True)
class _Sample:
    """Pictures and their copies at the end; `originals` and `edits` are those of the copies."""

    contents: Sequence[bytes]
    originals: Sequence[int]
    edits: Sequence[str]

    @property
    def pictures(self) -> int:
        """The number of pictures without the copies."""
        return len(self.contents) - len(self.originals)

    @property
    def right(self) -> dict[tuple[int, int], str]:
        """The edit of each pair of an original and its copy."""
        pairs = zip(self.originals, range(self.pictures, len(self.contents)), strict=True)
        return dict(zip(pairs, self.edits, strict=True))


def _sample(pictures: Sequence[bytes], copies: int, seed: int) -> _Sample:
    originals = np.random.default_rng(seed).permutation(len(pictures))[:copies].tolist()
    edits = list(itertools.islice(itertools.cycle(EDITS), len(originals)))
    edited = [_copy(pictures[at], edit, seed) for at, edit in zip(originals, edits, strict=True)]
    return _Sample([*pictures, *edited], originals, edits)


def _halves(folders: Sequence[Path], copies: int, seed: int) -> tuple[_Sample, _Sample]:
    """Return the tuning half and the report half of all pictures, by their SHA-256."""
    pictures = dict.fromkeys(path.read_bytes() for path in pictures_in(folders))
    halves: tuple[list[bytes], list[bytes]] = [], []
    for content in pictures:
        halves[hashlib.sha256(content).digest()[0] % 2].append(content)
    tuning, report = halves
    return _sample(tuning, copies // 2, seed), _sample(report, copies // 2, seed + 1)


def _joined(a: _Sample, b: _Sample) -> _Sample:
    contents = a.contents[: a.pictures], b.contents[: b.pictures]
    copies = a.contents[a.pictures :], b.contents[b.pictures :]
    originals = [*a.originals, *(at + a.pictures for at in b.originals)]
    return _Sample([*itertools.chain(*contents, *copies)], originals, [*a.edits, *b.edits])


def _made(contents: Sequence[bytes], describer: Describer) -> Made:
    (name,) = describer.names
    squares = [Square(224)(one) for one in contents]
    pixels = np.stack(squares)
    vectors = [
        describer.describe(pixels[at : at + _BATCH])[name]
        for at in tqdm(range(0, len(pixels), _BATCH), "describing", disable=None)
    ]
    hashes, miniatures = zip(*map(prints_of, pixels), strict=True)
    return Made(np.concatenate(vectors), list(hashes), np.stack(miniatures))


def _part(made: Made, places: Sequence[int]) -> Made:
    hashes = [made.hashes[at] for at in places]
    return Made(made.vectors[places], hashes, made.miniatures[places])


def _pairs(made: Made) -> set[tuple[int, int]]:
    """Return the places of all pairs of images within a group."""
    with (
        tempfile.TemporaryDirectory() as folder,
        Catalogue.open(f"sqlite:///{folder}/catalogue.db") as catalogue,
        # The index has applied nothing, so that everything is compared exactly.
        ExactGallery(lambda _: None) as gallery,
    ):
        fill(catalogue, made)
        lines, computed = {SPACE.fingerprint: LINES}, Computed((SPACE,))
        groups, *_ = walked(Duplicates(catalogue, gallery, computed=computed, lines=lines))
    return {
        pair
        for group in groups
        for pair in itertools.combinations(
            sorted(member.image.id - 1 for member in group.members), 2
        )
    }


def _share(part: int, whole: int) -> str:
    """Return a share with its interval by Wilson's method."""
    z = 1.96
    share, rest = part / whole, z * z / whole
    middle, half = share + rest / 2, z * math.sqrt((share * (1 - share) + rest / 4) / whole)
    low, high = ((middle + sign * half) / (1 + rest) for sign in (-1, 1))
    return f"{part}/{whole} = {share:.3f} ({low:.3f} to {high:.3f})"


def _print_table(sample: _Sample, made: Made) -> None:
    """Print recall and precision by `LEAST_AGREEMENT`."""
    print(f"tuning half, {sample.pictures} pictures, {len(sample.originals)} copies")
    for least in _LEAST_AGREEMENTS:
        with mock.patch.object(alignment, "LEAST_AGREEMENT", least):
            found = _pairs(made)
        right = len(found & sample.right.keys())
        recall, precision = _share(right, len(sample.right)), _share(right, len(found))
        print(f"agreement from {least}: recall {recall}, precision {precision}", flush=True)


def _print_result(name: str, sample: _Sample, made: Made) -> None:
    """Print recall, precision, recall by edit, and the wrong pairs."""
    found, right = _pairs(made), sample.right
    print(f"{name}, {sample.pictures} pictures, {len(right)} copies")
    print(f"recall:    {_share(len(found & right.keys()), len(right))}")
    print(f"precision: {_share(len(found & right.keys()), len(found))}")
    for edit in EDITS:
        mine = {pair for pair, of_pair in right.items() if of_pair == edit}
        print(f"{edit:14} {len(mine & found)} of {len(mine)}")
    for a, b in sorted(found - right.keys()):
        hashes = made.hashes[a], made.hashes[b]
        near = closeness(*hashes)
        pair = alignment.Pair(made.miniatures[a], made.miniatures[b], near)
        (aligned,) = alignment.align([pair])
        score = made.vectors[a] @ made.vectors[b]
        digests = [hashlib.sha256(sample.contents[at]).hexdigest()[:8] for at in (a, b)]
        print(f"wrong: {digests}, score {score:.3f}, agreement {aligned.agreement:.3f}")


def measure(folders: Sequence[Path], copies: int, seed: int, describer: Describer) -> None:
    """Print the table of the tuning half, and the results of the report half and of all."""
    tuning, report = _halves(folders, copies, seed)
    every = _joined(tuning, report)
    made = _made(every.contents, describer)
    place = {content: at for at, content in enumerate(every.contents)}
    halves = [_part(made, [place[one] for one in half.contents]) for half in (tuning, report)]
    print(describer.origin)
    _print_table(tuning, halves[0])
    _print_result("report half", report, halves[1])
    _print_result("all", every, made)


def main() -> None:
    """Measure once."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--copies", type=int, default=120)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--descriptor", default="vgg16-rmac4")
    parser.add_argument("--models", type=Path)
    options = parser.parse_args()
    print(machine.described())
    threads = len(os.sched_getaffinity(0))
    (describer,) = describers([options.descriptor], options.models, threads=threads)
    measure(options.folders, options.copies, options.seed, describer)


if __name__ == "__main__":
    main()
