"""Patterns of files, such as a walk leaves out, with the meaning that they have in a `.gitignore`.

`*.gif`         files and folders of such a name, wherever they are
`drafts/`       folders of that name with all that they hold, wherever they are
`a/b`, `/a`     counted from the walked folder, because of the slash
`**/thumbs/**`  what is in folders named `thumbs`; `**` stands for any number of folders
`!cover.gif`    takes back what patterns before it said

`*`, `?` and `[...]` never stand for a slash. Unlike in a `.gitignore`, letter case is no
difference: whoever leaves out `*.gif` also means `SCAN.GIF`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

_ANY_FOLDERS = "**"


@dataclass(frozen=True)
class _Rule:
    components: tuple[str, ...]
    only_folders: bool
    takes_back: bool


class Patterns:
    """What some patterns mean of a folder: to be left out, or to be taken."""

    def __init__(self, patterns: Sequence[str]) -> None:
        self._rules = [rule for pattern in patterns if (rule := _rule(pattern)) is not None]

    def entry(self, path: str, *, is_folder: bool) -> bool:
        """Whether an entry is meant whose folders are not; the last pattern that fits decides.

        Args:
            path: Below the walked folder.
            is_folder: Then what is in it is meant too.
        """
        if not self._rules:
            return False
        parts = path.lower().split("/")
        fits = (
            not rule.takes_back
            for rule in reversed(self._rules)
            if (is_folder or not rule.only_folders) and _matches(parts, rule.components)
        )
        return next(fits, False)

    def file(self, path: str) -> bool:
        """Whether a file is meant, itself or with one of its folders."""
        slashes = [at for at, letter in enumerate(path) if letter == "/"]
        in_folder = any(self.entry(path[:at], is_folder=True) for at in slashes)
        return in_folder or self.entry(path, is_folder=False)


def _rule(pattern: str) -> _Rule | None:
    takes_back = pattern.startswith("!")
    wanted = pattern.removeprefix("!").lower()
    components = [component for component in wanted.split("/") if component]
    if not components:
        return None
    if "/" not in wanted.rstrip("/"):
        components.insert(0, _ANY_FOLDERS)
    return _Rule(tuple(components), wanted.endswith("/"), takes_back)


def _matches(parts: Sequence[str], components: Sequence[str]) -> bool:
    # `fits[n]`: whether the components so far fit the first n parts.
    fits = [True] + [False] * len(parts)
    for number, component in enumerate(components, start=1):
        if True not in fits:
            return False
        if component == _ANY_FOLDERS:
            inside = number == len(components)  # at the end: what is in a folder, not the folder
            first = fits.index(True) + inside
            fits = [n >= first for n in range(len(fits))]
        else:
            fits = [False] + [
                before and fnmatchcase(part, component)
                for before, part in zip(fits, parts, strict=False)
            ]
    return fits[-1]
