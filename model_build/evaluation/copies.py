"""Edited copies as queries, each with its original as the only relevant picture."""

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
    """Return the protocol of every edit of a sample of originals, searched among all pictures.

    The gallery holds the originals, not the copies. Files with the same bytes are one picture, as
    in the service. The copies of one original are one unit of the bootstrap, because they share
    its difficulty. `seed` chooses the sample and the edits' random parameters.

    Raises:
        EvaluationError: See `pictures_in`.
    """
    found = list(pictures_in(folders))
    first: dict[bytes, Path] = {}
    for path in found:
        first.setdefault(_identity(path), path)
    paths = list(first.values())
    drawn = np.random.default_rng(seed).permutation(len(paths))[:sample]
    asked = [(unit, int(place), edit) for unit, place in enumerate(sorted(drawn)) for edit in EDITS]
    return Protocol.of_questions(
        "edited copies",
        paths,
        [
            Question(query, frozenset({place}), frozenset(), unit, edit)
            for query, (unit, place, edit) in enumerate(asked, start=len(paths))
        ],
        queries=[
            Picture(paths[place], changed=partial(edited_copy, edit=edit, seed=seed))
            for _, place, edit in asked
        ],
        facts=(
            ("repeated files", len(found) - len(paths)),
            ("originals", len(drawn)),
            ("edits", len(EDITS)),
            ("seed", seed),
        ),
    )


def _identity(path: Path) -> bytes:
    """Return a key that is equal for files with equal bytes, and unique for an unreadable file."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").digest()
    except OSError:
        return bytes(path)
