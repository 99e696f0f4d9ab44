"""Labelled folders: every picture is a query for the others of its label (leave-one-out)."""

import os
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from model_build.evaluation.errors import NothingToEvaluate, ProtocolRefused
from model_build.evaluation.protocol import Picture, Protocol, Question

SUFFIXES = frozenset(
    (".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif")
)
"""The endings of picture files; other files in a labelled folder are ignored."""


@dataclass(frozen=True)
class Found:
    """A picture's file and the given folder that contains it."""

    path: Path
    under: Path


def pictures_in(folders: Sequence[Path]) -> list[Found]:
    """Return every picture below some folders, in the order of their names.

    Hidden files and folders are skipped.

    Raises:
        ProtocolRefused: A path is no folder, or lies in another one of them.
        NothingToEvaluate: A folder holds no picture.
    """
    _check_apart(folders)
    found = []
    for folder in folders:
        inside = [
            Found(path=path, under=folder)
            for path in _files(folder)
            if path.suffix.lower() in SUFFIXES
        ]
        if not inside:
            raise NothingToEvaluate(
                f"{folder} holds no picture; a picture's name ends in one of "
                f"{' '.join(sorted(SUFFIXES))}"
            )
        found += inside
    return found


def labelled_folders(folders: Sequence[Path], *, label_depth: int | None = None) -> Protocol:
    """Return the protocol in which the folder of a picture is its label.

    Args:
        folders: All their pictures are one gallery. A label is the path below the folder given
            here, so that `train/hat` and `validation/hat` are one label of `train` `validation`.
        label_depth: Number of levels of that path to use, from the top.

    Raises:
        ProtocolRefused, NothingToEvaluate: As `pictures_in` and `labelled`.
    """
    found = pictures_in(folders)
    labels = [one.path.parent.relative_to(one.under).parts[:label_depth] for one in found]
    return labelled("labelled folders", [one.path for one in found], ["/".join(x) for x in labels])


def labelled(name: str, paths: Sequence[Path], labels: Sequence[str]) -> Protocol:
    """Return the protocol in which every picture queries for the others of its label.

    Args:
        name: Name of the protocol.
        paths: N pictures.
        labels: N labels.

    Raises:
        NothingToEvaluate: There is only one label, so every answer would be right.
    """
    if len(set(labels)) < 2:
        raise NothingToEvaluate(
            f"all {len(paths)} pictures have one label, so that every answer would be right; "
            "give pictures of at least two labels"
        )
    members: dict[str, set[int]] = defaultdict(set)
    for place, label in enumerate(labels):
        members[label].add(place)
    return Protocol.of_questions(
        name,
        [Picture(path) for path in paths],
        range(len(paths)),
        [
            Question(
                query=place,
                relevant=frozenset(members[label] - {place}),
                left_out=frozenset({place}),
                unit=place,
            )
            for place, label in enumerate(labels)
        ],
        facts=(("labels", len(members)),),
    )


def _check_apart(folders: Sequence[Path]) -> None:
    whole = [folder.resolve() for folder in folders]
    for place, folder in enumerate(whole):
        if not folder.is_dir():
            raise ProtocolRefused(f"{folders[place]} is not a folder")
        others = whole[:place] + whole[place + 1 :]
        if any(folder.is_relative_to(other) for other in others):
            raise ProtocolRefused(
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
