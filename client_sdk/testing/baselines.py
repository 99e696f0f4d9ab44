"""Baselines: the pictures that tests compare with, stored next to the tests."""

import re
from dataclasses import dataclass
from pathlib import Path

from client_sdk.errors import UsageError
from client_sdk.testing.pictures import Shot, as_png

PNG = b"\x89PNG\r\n\x1a\n"
SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif"})
"""The suffixes of picture files in a folder; the service detects formats by content instead."""


@dataclass(frozen=True, slots=True)
class Place:
    """The place of a test, which determines the paths of its baselines.

    Attributes:
        folder: The folder of the test's file.
        test: The name of the test in reports, such as `tests/test_page.py::test_login[dark]`.
        own_name: The name of the test's first unnamed baseline.
    """

    folder: Path
    test: str = ""
    own_name: str = "picture"

    @classmethod
    def of(cls, file: Path, test: str, name: str) -> "Place":
        """Return the place of a test in a file; its unnamed baselines get the name of the test."""
        return cls(file.parent, test, f"{file.stem}/{plain(name)}")


def located(name: Path, place: Place, baselines: Path) -> Path:
    """Return the path of a baseline.

    Args:
        name: The path, absolute or relative to the folder of baselines; `.png` is added if it has
            no suffix of a picture.
        place: The place of the test.
        baselines: The folder of baselines, absolute or relative to that of the test.
    """
    if name.suffix.lower() not in SUFFIXES:
        name = name.with_name(f"{name.name}.png")
    return place.folder / baselines / name


def write(path: Path, shot: Shot) -> None:
    """Write a picture as a baseline; for a `.png` path, another format is converted to PNG.

    Raises:
        UsageError: If the path has another suffix, and the picture does not have the same.
    """
    data = shot.data
    if path.suffix.lower() == ".png":
        data = data if data.startswith(PNG) else as_png(shot.image)
    elif Path(shot.name).suffix.lower() != path.suffix.lower():
        raise UsageError(f"{path.name} cannot be written from {shot.name}; name it .png")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def plain(text: str) -> str:
    """Return a text as a safe name of a file or a folder."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-.")[:100] or "picture"


def pictures_below(folder: Path) -> tuple[Path, ...]:
    """Return the paths of the pictures in a folder and its subfolders, sorted; by suffix.

    Raises:
        UsageError: If there is no picture.
    """
    found = sorted(
        path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file()
    )
    if not found:
        raise UsageError(f"there is no picture in {folder}")
    return tuple(found)
