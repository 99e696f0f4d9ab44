r"""Image roots as LOOKALIKE_IMAGE_ROOTS writes them: `/folder` or `name=/folder`, separated by `:`.

A colon that belongs to a path or a name is written `\:`, a backslash before a colon `\\`.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

_SEPARATOR = re.compile(r"(?:\\[\\:]|[^:])+")
_ESCAPED = re.compile(r"\\([\\:])")
_NAMED = re.compile(r"([^/]+?)=(/.*)", re.DOTALL)


@dataclass(frozen=True)
class ConfiguredRoot:
    """An image root as the operator wrote it.

    Attributes:
        path: Its folder.
        name: Which of the known roots the folder is, where the operator says so.
    """

    path: Path
    name: str | None = None


def split_list(text: str) -> tuple[str, ...]:
    """Split a setting at its colons, except at those that are escaped."""
    return tuple(_ESCAPED.sub(r"\1", part) for part in _SEPARATOR.findall(text))


def parse_roots(text: str) -> tuple[ConfiguredRoot, ...]:
    """Parse the value of LOOKALIKE_IMAGE_ROOTS."""
    return tuple(map(_parse_root, split_list(text)))


def _parse_root(item: str) -> ConfiguredRoot:
    if named := _NAMED.fullmatch(item):
        return ConfiguredRoot(Path(named[2]), named[1])
    return ConfiguredRoot(Path(item))


def format_roots(roots: Iterable[ConfiguredRoot]) -> str:
    """Write roots so that `parse_roots` reads the same, wherever the working directory is."""
    return ":".join(
        escaped(f"{root.name}={root.path.absolute()}" if root.name else str(root.path.absolute()))
        for root in roots
    )


def escaped(item: str) -> str:
    """Escape one item of a list that colons separate."""
    return re.sub(r"\\(?=[\\:]|$)|:", r"\\\g<0>", item)
