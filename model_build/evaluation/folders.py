"""Labelled folders: every picture is a query for the others of its label (leave-one-out)."""

import os
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

from model_build.errors import EvaluationError
from model_build.evaluation.protocol import Protocol, Question

SUFFIXES = frozenset(
    (".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif")
)
"""The endings of picture files; other files in a labelled folder are ignored."""


def pictures_in(folders: Sequence[Path]) -> dict[Path, Path]:
    """Return every picture below some folders, in the order of their names, with its folder.

    Hidden files and folders are skipped.

    Raises:
        EvaluationError: A folder holds no picture, is none, or lies in another one of them.
    """
    _check_apart(folders)
    pictures: dict[Path, Path] = {}
    for folder in folders:
        inside = [path for path in _files(folder) if path.suffix.lower() in SUFFIXES]
        if not inside:
            raise EvaluationError(
                f"{folder} holds no picture; a picture's name ends in one of "
                f"{' '.join(sorted(SUFFIXES))}"
            )
        pictures |= dict.fromkeys(inside, folder)
    return pictures


def labelled_folders(folders: Sequence[Path], *, label_depth: int | None = None) -> Protocol:
    """Return the protocol in which the folder of a picture is its label.

    All pictures are one gallery. A label is the path below one of `folders`, at most `label_depth`
    levels of it, so that `train/hat` and `validation/hat` are one label of `train` `validation`.

    Raises:
        EvaluationError: See `pictures_in` and `labelled`.
    """
    pictures = pictures_in(folders)
    labels = [
        "/".join(path.parent.relative_to(folder).parts[:label_depth])
        for path, folder in pictures.items()
    ]
    return labelled("labelled folders", list(pictures), labels)


def labelled(name: str, paths: Sequence[Path], labels: Sequence[str]) -> Protocol:
    """Return the protocol in which every picture queries for the others of its label.

    Raises:
        EvaluationError: There is only one label, so every answer would be right.
    """
    if len(set(labels)) < 2:
        raise EvaluationError(
            f"all {len(paths)} pictures have one label, so that every answer would be right; "
            "give pictures of at least two labels"
        )
    members: dict[str, set[int]] = defaultdict(set)
    for place, label in enumerate(labels):
        members[label].add(place)
    questions = [
        Question.leave_one_out(place, members[label]) for place, label in enumerate(labels)
    ]
    return Protocol.of_questions(name, paths, questions, facts=(("labels", len(members)),))


def _check_apart(folders: Sequence[Path]) -> None:
    whole = [folder.resolve() for folder in folders]
    for place, folder in enumerate(whole):
        if not folder.is_dir():
            raise EvaluationError(f"{folders[place]} is not a folder")
        others = whole[:place] + whole[place + 1 :]
        if any(folder.is_relative_to(other) for other in others):
            raise EvaluationError(
                f"{folders[place]} lies in another one of the folders, so its pictures would be "
                "found twice; give each folder once"
            )


def _files(folder: Path) -> Iterator[Path]:
    for within, below, names in os.walk(folder, onerror=_refuse):
        below[:] = sorted(name for name in below if not name.startswith("."))
        yield from (Path(within, name) for name in sorted(names) if not name.startswith("."))


def _refuse(error: OSError) -> None:
    """Raise for a folder that cannot be listed, which would otherwise count as empty."""
    raise error
