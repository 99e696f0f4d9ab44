"""Edited copies: each is a query, and its original is the one right answer."""

import hashlib
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np

from model_build.evaluation.edits import EDITS, edited_copy
from model_build.evaluation.folders import pictures_in
from model_build.evaluation.protocol import Picture, Protocol, Question

SAMPLE = 66
"""Originals that are edited unless another number is given."""


def copies(folders: Sequence[Path], *, sample: int = SAMPLE, seed: int = 0) -> Protocol:
    """Every edit of a sample of pictures, to be found among all pictures.

    The gallery holds the originals, not the copies. Files with the same bytes are one picture, as
    in the service. The copies of one original are one unit of the bootstrap: what is hard about a
    picture is hard in all of them.

    Args:
        folders: All their pictures are the gallery.
        sample: How many originals are edited; all where there are fewer.
        seed: Draws the sample and what the edits leave to chance.

    Raises:
        ProtocolRefused, NothingToEvaluate: As `pictures_in`.
    """
    found = [one.path for one in pictures_in(folders)]
    first: dict[bytes, Path] = {}
    for path in found:
        first.setdefault(_identity(path), path)
    paths = list(first.values())
    drawn = np.random.default_rng(seed).permutation(len(paths))[:sample]
    asked = [(unit, int(place), edit) for unit, place in enumerate(sorted(drawn)) for edit in EDITS]
    made = [
        Picture(paths[place], changed=partial(edited_copy, edit=edit, seed=seed))
        for _, place, edit in asked
    ]
    return Protocol.of_questions(
        "edited copies",
        [Picture(path) for path in paths] + made,
        range(len(paths)),
        [
            Question(
                query=len(paths) + number,
                relevant=frozenset({place}),
                left_out=frozenset(),
                unit=unit,
                edit=edit,
            )
            for number, (unit, place, edit) in enumerate(asked)
        ],
        facts=(
            ("repeated files", len(found) - len(paths)),
            ("originals", len(drawn)),
            ("edits", len(EDITS)),
            ("seed", seed),
        ),
    )


def _identity(path: Path) -> bytes:
    """The same for files with the same bytes; of a file that cannot be read, its own."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").digest()
    except OSError:
        return bytes(path)
