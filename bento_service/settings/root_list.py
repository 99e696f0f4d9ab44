r"""The syntax of LOOKALIKE_IMAGE_ROOTS: `/folder` or `name=/folder`, separated by `:`.

In place of a folder there may be an address in object storage, `s3://bucket/prefix`. Any other
colon in a path, an address or a name is written `\:`, a backslash before a colon `\\`.
"""

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

_SCHEME = r"[a-z][a-z0-9+.-]*://"
ADDRESS = re.compile(rf"{_SCHEME}[^/?#\s]+[^?#\s]*")
"""The address of a place in object storage."""
_SEPARATOR = re.compile(rf"(?:(?:\\[\\:]|[^:/])+=)?{_SCHEME}(?:\\[\\:]|[^:])*|(?:\\[\\:]|[^:])+")
_ESCAPED = re.compile(r"\\([\\:])")
_NAMED = re.compile(rf"([^/]+?)=(/.*|{_SCHEME}.*)", re.DOTALL)


@dataclass(frozen=True)
class ConfiguredRoot:
    """An image root as the operator wrote it, perhaps with the name of a known root.

    Attributes:
        path: The folder, or the address in object storage as text.
    """

    path: Path | str
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


@dataclass(frozen=True)
class ObjectImageRoot:
    """A prefix in object storage whose objects may be indexed by path.

    Attributes:
        name: The name that replaces the address in responses.
        address: The address without a slash at its end, such as `s3://bucket/prefix`.
    """

    name: str
    address: str


AnyImageRoot = ImageRoot | ObjectImageRoot


def image_root(name: str, place: str, spelled: str | None = None) -> AnyImageRoot:
    """Return the root of a name at a folder or an address."""
    if is_address(place):
        return ObjectImageRoot(name, place)
    return ImageRoot(name, Path(place), None if spelled is None else Path(spelled))


def split_list(text: str) -> tuple[str, ...]:
    """Split a setting at its unescaped colons, but for those of addresses."""
    return tuple(_ESCAPED.sub(r"\1", part) for part in _SEPARATOR.findall(text))


def parse_roots(text: str) -> tuple[ConfiguredRoot, ...]:
    """Parse the value of LOOKALIKE_IMAGE_ROOTS."""
    return tuple(map(_parse_root, split_list(text)))


def _parse_root(item: str) -> ConfiguredRoot:
    if named := _NAMED.fullmatch(item):
        return ConfiguredRoot(parse_place(named[2]), named[1])
    return ConfiguredRoot(parse_place(item))


def parse_place(text: str) -> Path | str:
    """Return a folder, or an address without a slash at its end."""
    text = text.removeprefix("file://")
    bare = text.rstrip("/")
    if is_address(text):
        return bare if is_address(bare) else text
    return Path(text)


def is_address(place: str) -> bool:
    """Return true for an address in object storage, and false for a path."""
    return re.match(_SCHEME, place) is not None


def format_roots(roots: Iterable[ConfiguredRoot]) -> str:
    """Return the text that `parse_roots` parses to the same roots in any working directory."""
    places = (
        (root.name, root.path if isinstance(root.path, str) else str(root.path.absolute()))
        for root in roots
    )
    return ":".join(escaped(f"{name}={place}" if name else place) for name, place in places)


def escaped(item: str) -> str:
    """Return one item of a list with its colons escaped."""
    return re.sub(r"\\(?=[\\:]|$)|:", r"\\\g<0>", item)


def folder_name(folder: Path | str) -> str:
    """Return the last component of a folder's path or an address, as valid text."""
    name = Path(folder).name
    return os.fsencode(name).decode("utf-8", "replace") or "root"


def check_roots(roots: Iterable[ConfiguredRoot]) -> None:
    """Raise `ValueError` if a root is no folder or address, or repeats a place or a name."""
    names: dict[Path | str, str] = {}
    for root in roots:
        _check_place(root.path)
        if root.name is None:
            continue
        folder = root.path if isinstance(root.path, str) else root.path.resolve()
        if root.name in names.values() or folder in names:
            raise ValueError(
                f"LOOKALIKE_IMAGE_ROOTS repeats the name or the folder of {root.name}={root.path}; "
                "give each folder one name"
            )
        names[folder] = root.name


def _check_place(place: Path | str) -> None:
    if isinstance(place, Path):
        if not place.is_dir():
            raise ValueError(
                f"LOOKALIKE_IMAGE_ROOTS names {place}, which is not a folder; create it or "
                "remove it (a `:` in a path is written `\\:`)"
            )
        return
    if "@" in place.split("/")[2]:  # it would be shown and stored
        raise ValueError(
            "LOOKALIKE_IMAGE_ROOTS has an address with a user or a password; give them in the "
            "variables or the configuration of the storage's library"
        )
    if not ADDRESS.fullmatch(place) or "::" in place:
        raise ValueError(
            f"LOOKALIKE_IMAGE_ROOTS names {place}, which is no address such as s3://bucket/prefix"
        )
