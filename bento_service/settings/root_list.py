r"""The syntax of LOOKALIKE_IMAGE_ROOTS: `/folder` or `name=/folder`, separated by `:`.

A colon in a path or a name is written `\:`, a backslash before a colon `\\`.
"""

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

_SEPARATOR = re.compile(r"(?:\\[\\:]|[^:])+")
_ESCAPED = re.compile(r"\\([\\:])")
_NAMED = re.compile(r"([^/]+?)=(/.*)", re.DOTALL)


@dataclass(frozen=True)
class ConfiguredRoot:
    """An image root as the operator wrote it, perhaps with the name of a known root."""

    path: Path
    name: str | None = None


@dataclass(frozen=True)
class ImageRoot:
    """A folder that may be indexed by path.

    Attributes:
        name: The name that replaces the folder's path in responses.
        path: The absolute path without symbolic links.
        spelled: The absolute path as the operator wrote it, if it differs.
    """

    name: str
    path: Path
    spelled: Path | None = None


def split_list(text: str) -> tuple[str, ...]:
    """Split a setting at its unescaped colons."""
    return tuple(_ESCAPED.sub(r"\1", part) for part in _SEPARATOR.findall(text))


def parse_roots(text: str) -> tuple[ConfiguredRoot, ...]:
    """Parse the value of LOOKALIKE_IMAGE_ROOTS."""
    return tuple(map(_parse_root, split_list(text)))


def _parse_root(item: str) -> ConfiguredRoot:
    if named := _NAMED.fullmatch(item):
        return ConfiguredRoot(Path(named[2]), named[1])
    return ConfiguredRoot(Path(item))


def format_roots(roots: Iterable[ConfiguredRoot]) -> str:
    """Return the text that `parse_roots` parses to the same roots in any working directory."""
    return ":".join(
        escaped(f"{root.name}={root.path.absolute()}" if root.name else str(root.path.absolute()))
        for root in roots
    )


def escaped(item: str) -> str:
    """Return one item of a list with its colons escaped."""
    return re.sub(r"\\(?=[\\:]|$)|:", r"\\\g<0>", item)


def folder_name(folder: Path) -> str:
    """Return the name of a folder as valid text."""
    return os.fsencode(folder.name).decode("utf-8", "replace") or "root"


def check_roots(roots: Iterable[ConfiguredRoot]) -> None:
    """Raise `ValueError` if a root is no folder, or repeats a folder or a name."""
    names: dict[Path, str] = {}
    for root in roots:
        if not root.path.is_dir():
            raise ValueError(
                f"LOOKALIKE_IMAGE_ROOTS names {root.path}, which is not a folder; create it or "
                "remove it (a `:` in a path is written `\\:`)"
            )
        if root.name is None:
            continue
        folder = root.path.resolve()
        if root.name in names.values() or folder in names:
            raise ValueError(
                f"LOOKALIKE_IMAGE_ROOTS repeats the name or the folder of {root.name}={root.path}; "
                "give each folder one name"
            )
        names[folder] = root.name
