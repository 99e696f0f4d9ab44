"""Baselines: the pictures that tests compare with, stored next to the tests."""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from client_sdk.errors import UsageError
from client_sdk.testing.pictures import Shot, as_png

MAX_NAME = 100
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
    def of(cls, file: Path, test: str, name: str, baselines: Path, root: Path) -> "Place":
        """Return the place of a test in a file; its unnamed baselines get the name of the test.

        An absolute folder of baselines is shared by all test files; `root` contains them.
        """
        is_shared = baselines.is_absolute() and file.is_relative_to(root)
        under = file.relative_to(root).with_suffix("") if is_shared else Path(file.stem)
        return cls(file.parent, test, (under / distinct(name)).as_posix())


def located(name: Path, place: Place, baselines: Path) -> Path:
    """Return the path of a baseline, `name` in the folder of baselines of a test.

    `.png` is added if it has no suffix of a picture.
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
    return re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-.")[:MAX_NAME] or "picture"


def distinct(name: str) -> str:
    """Return the name of a test as the name of a file; different tests get different ones.

    A name that is simple, such as `test_page[dark]`, stays readable. A longer one, or one with
    capitals or signs, gets a digest, because file systems differ in what they tell apart.
    """
    simple = re.fullmatch(r"([a-z0-9_]+)(?:\[([a-z0-9._-]+)\])?", name)
    if simple and len(name) <= MAX_NAME:
        return "-".join(part for part in simple.groups() if part is not None)
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:12]
    return f"{plain(name)[:MAX_NAME]}~{digest}"


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
