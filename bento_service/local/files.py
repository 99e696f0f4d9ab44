"""The caller's own files: whatever it names may be read, since it could read that itself."""

import os
from collections.abc import Sequence
from pathlib import Path

from bento_service.settings import ImageRoot
from bento_service.storage.image_roots import ImageRoots, Located


class OwnFiles(ImageRoots):
    """One image root without a name: the whole file system, so that sources are absolute paths.

    A path is taken as Python's own functions would take it: relative to the working directory, and
    through symbolic links. Below it, links are not followed, as in every image root.
    """

    def __init__(self, remembered: Sequence[ImageRoot] = ()) -> None:
        """Prepare.

        Args:
            remembered: Roots with names, which the same folder of data was used with before.
        """
        super().__init__((ImageRoot("", Path("/")),), remembered)

    def locate(self, path: str, root: str | None = None) -> Located:
        """See `ImageRoots.locate`; jobs name the root, callers do not."""
        if root is None and "\0" not in path:
            path = os.path.realpath(path)
        return super().locate(path, root)
