"""The meaning of patterns of files, such as `ignore`: that of a `.gitignore`, in any letter case.

`*.gif`         files and folders of such a name, at any depth
`drafts/`       folders of that name with everything in them, at any depth
`a/b`, `/a`     paths that begin at the walked folder, because of the slash
`**/thumbs/**`  everything in folders named `thumbs`; `**` stands for any number of folders
`!cover.gif`    an exception to the patterns before it
"""

from collections.abc import Iterable

from pathspec import GitIgnoreSpec


class Patterns:
    """Patterns that select files and folders of a walk; a later pattern overrides earlier ones.

    Args:
        patterns: The patterns. Unlike in a `.gitignore`, `*.gif` also selects `SCAN.GIF`.
        backend: The engine of `pathspec` that matches; `re2` takes linear time for any pattern.

    Raises:
        ValueError: If a pattern is not valid.
    """

    def __init__(self, patterns: Iterable[str], *, backend: str | None = None) -> None:
        lines = [pattern.lower() for pattern in patterns]
        try:
            self._spec = GitIgnoreSpec.from_lines(lines, backend=backend)
        except ImportError:
            raise
        except Exception as error:  # the engines have error classes of their own
            raise ValueError(f"a pattern is not valid: {error}") from error

    def entry(self, path: str, *, is_folder: bool) -> bool:
        """Tell whether an entry is selected whose parent folders are not.

        Args:
            path: The path below the walked folder.
            is_folder: Whether it is a folder; then everything in it is selected too.
        """
        return self._spec.match_file(_matchable(path) + "/" * is_folder)

    def file(self, path: str) -> bool:
        """Tell whether a file is selected, by its own path or as part of a selected folder."""
        slashes = [at for at, letter in enumerate(path) if letter == "/"]
        in_folder = any(self.entry(path[:at], is_folder=True) for at in slashes)
        return in_folder or self.entry(path, is_folder=False)


def _matchable(path: str) -> str:
    # A name may be bytes that are no text, or contain a line end, at which a match would stop.
    return path.lower().replace("\n", "\x1f").encode("utf-8", "replace").decode("utf-8")
