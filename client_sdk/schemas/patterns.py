"""Patterns of files, such as `ignore`, with the rules of a `.gitignore` but ignoring case.

`*.gif`         files and folders with a matching name, at any depth
`drafts/`       folders with that name and everything in them, at any depth
`a/b`, `/a`     paths relative to the walked folder, because of the slash
`**/thumbs/**`  everything in folders named `thumbs`; `**` matches any number of folders
`!cover.gif`    an exception to earlier patterns
"""

import re
from collections.abc import Iterable

from pathspec import GitIgnoreSpec

_CLUTTER = re.compile(
    r"\._.*|\.ds_store|\.apple(double|db|desktop)|\.fseventsd|\.spotlight-v100|__macosx"
    r"|(ehthumbs(_vista)?|thumbs)\.db|desktop\.ini|system volume information"
    r"|\.trash(es|-.*)?|\$recycle\.bin|recycle[dr]|[#@]recycle|#snapshot|@recently-snapshot"
    r"|@eadir|@tmp|\.@__thumb|\.?picasa\.ini|\.picasaoriginals|\.thumbnails|lost\+found"
    r"|\.nfs[0-9a-f]+|\.fuse_hidden.*",
    re.IGNORECASE | re.DOTALL,
)


def is_clutter(name: str) -> bool:
    """Return True for a file or folder that a system or a program adds to folders of pictures."""
    return _CLUTTER.fullmatch(name) is not None


class Patterns:
    """Patterns that select files and folders of a walk; a later pattern overrides earlier ones.

    Args:
        patterns: The patterns. Unlike in a `.gitignore`, `*.gif` also selects `SCAN.GIF`.
        backend: The matching engine of `pathspec`; `re2` takes linear time for any pattern.

    Raises:
        ValueError: If a pattern is not valid.
    """

    def __init__(self, patterns: Iterable[str], *, backend: str | None = None) -> None:
        lines = [pattern.lower() for pattern in patterns]
        try:
            self._spec = GitIgnoreSpec.from_lines(lines, backend=backend)
        except ImportError:
            raise
        except Exception as error:  # each engine has its own error classes
            raise ValueError(f"a pattern is not valid: {error}") from error

    def entry(self, path: str, *, is_folder: bool) -> bool:
        """Return True if an entry of an unselected folder is selected.

        The path is relative to the walked folder. A selected folder selects everything in it.
        """
        return self._spec.match_file(_matchable(path) + "/" * is_folder)

    def file(self, path: str) -> bool:
        """Return True if a file is selected by its own path or through a folder."""
        slashes = [at for at, letter in enumerate(path) if letter == "/"]
        in_folder = any(self.entry(path[:at], is_folder=True) for at in slashes)
        return in_folder or self.entry(path, is_folder=False)


def _matchable(path: str) -> str:
    # A name may be invalid UTF-8, or have a line break, at which a match would stop.
    return path.lower().replace("\n", "\x1f").encode("utf-8", "replace").decode("utf-8")
