"""Files of the caller, who may name any path, since the process could read it anyway."""

import os
from collections.abc import Sequence
from pathlib import Path

from bento_service.settings import AnyImageRoot, ImageRoot
from bento_service.storage.image_roots import ImageRoots, Located


class OwnFiles(ImageRoots):
    """The whole file system as one unnamed image root, so that sources are absolute paths.

    The given path is resolved as by Python's own functions: from the working directory and
    through symbolic links. Links below it are not followed, as in every image root.
    """

    def __init__(self, remembered: Sequence[AnyImageRoot] = ()) -> None:
        """Add the named roots that the same folder of data was used with before."""
        super().__init__((ImageRoot("", Path("/")),), remembered)

    def locate(self, path: str, root: str | None = None) -> Located:
        """Locate a path; see `ImageRoots.locate`. Jobs name the root, callers do not."""
        if root is None and "\0" not in path:
            path = os.path.realpath(path)
        return super().locate(path, root)
