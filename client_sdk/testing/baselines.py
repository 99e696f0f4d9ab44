"""Baselines: the pictures that tests compare with, kept beside them."""

import re
from dataclasses import dataclass
from pathlib import Path

from client_sdk.errors import UsageError
from client_sdk.testing.pictures import Shot, as_png

PNG = b"\x89PNG\r\n\x1a\n"
SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif"})
"""What files of pictures end in; the service tells them by content, a folder by this."""


@dataclass(frozen=True, slots=True)
class Place:
    """Which test it is, and where its baselines lie.

    Attributes:
        folder: The folder of its file.
        test: What it is called in reports, such as `tests/test_page.py::test_login[dark]`.
        own_name: What its first baseline without a name is called.
    """

    folder: Path
    test: str = ""
    own_name: str = "picture"

    @classmethod
    def of(cls, file: Path, test: str, name: str) -> "Place":
        """The place of a test in a file; its baselines without a name have that of the test."""
        return cls(file.parent, test, f"{file.stem}/{plain(name)}")


def located(name: Path, place: Place, baselines: Path) -> Path:
    """The file of a baseline.

    Args:
        name: A path, absolute or below the folder of baselines; `.png` is added where it ends
            in nothing that pictures end in.
        place: The test.
        baselines: The folder of baselines, absolute or below that of the test.
    """
    if name.suffix.lower() not in SUFFIXES:
        name = name.with_name(f"{name.name}.png")
    return place.folder / baselines / name


def write(path: Path, shot: Shot) -> None:
    """Write a picture as a baseline; another format than that of its name is made PNG.

    Raises:
        UsageError: If the name is not one of a PNG file, and the picture is not of its format.
    """
    data = shot.data
    if path.suffix.lower() == ".png":
        data = data if data.startswith(PNG) else as_png(shot.image)
    elif Path(shot.name).suffix.lower() != path.suffix.lower():
        raise UsageError(f"{path.name} cannot be written from {shot.name}; name it .png")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def plain(text: str) -> str:
    """A text as the name of a file or a folder."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-.")[:100] or "picture"


def pictures_below(folder: Path) -> tuple[Path, ...]:
    """The pictures in a folder and those below it, by path; told by what their names end in.

    Raises:
        UsageError: If there is none.
    """
    found = sorted(
        path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file()
    )
    if not found:
        raise UsageError(f"there is no picture in {folder}")
    return tuple(found)
