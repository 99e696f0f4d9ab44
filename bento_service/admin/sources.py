"""Whether the bytes of an image are still where they were found."""

import os
from collections.abc import Iterable
from enum import StrEnum
from typing import BinaryIO

from bento_service.catalogue.records import SourceRecord
from bento_service.catalogue.tables import SourceKind
from bento_service.errors import Forbidden, ImageNotFound, PathNotFound
from bento_service.settings import Settings
from bento_service.storage.digests import stream_digest
from bento_service.storage.image_roots import ImageRoots
from bento_service.storage.uploads import Uploads


class SourceState(StrEnum):
    """What is at a source. Only the first is good, only the next two are certain to be bad."""

    WHOLE = "whole"
    GONE = "gone"
    CHANGED = "changed"
    UNREADABLE = "unreadable"
    AWAY = "away"


class Sources:
    """Looks at the places where images were found, and changes nothing."""

    def __init__(self, settings: Settings, roots: ImageRoots, *, deep: bool) -> None:
        """Prepare.

        A root whose folder is not known, cannot be opened or is empty (as a mount point is without
        its disk) is away: nothing is known about what it holds. So are uploads without any file.

        Args:
            settings: Whose uploads.
            roots: Where files are.
            deep: Compare the bytes by SHA-256, instead of their number alone.
        """
        self._roots = roots
        self._present = {name for name in roots.names if roots.unavailable(name) is None}
        self._uploads = Uploads(settings.uploads_dir, read_only=True)
        self._has_uploads = any(self._uploads.stored())
        self._deep = deep

    def state(self, source: SourceRecord, sha256: str, size: int) -> SourceState:
        """What is at a source.

        Args:
            source: Where to look.
            sha256: Of the image's bytes.
            size: How many there are.
        """
        try:
            if source.kind is SourceKind.UPLOAD:
                if not self._has_uploads:
                    return SourceState.AWAY
                with self._uploads.open(sha256) as file:
                    return self._compared(file, sha256, size)
            if source.root not in self._present:
                return SourceState.AWAY
            with self._roots.opened(source.root, source.path) as file:
                return self._compared(file, sha256, size)
        except ImageNotFound:
            return SourceState.GONE
        except PathNotFound as error:
            gone = isinstance(error.__cause__, FileNotFoundError)
            return SourceState.GONE if gone else SourceState.UNREADABLE
        except (Forbidden, OSError):
            return SourceState.UNREADABLE

    def _compared(self, file: BinaryIO, sha256: str, size: int) -> SourceState:
        if os.fstat(file.fileno()).st_size != size:
            return SourceState.CHANGED
        if self._deep and stream_digest(file) != sha256:
            return SourceState.CHANGED
        return SourceState.WHOLE


def certainly_lost(states: Iterable[SourceState]) -> bool:
    """Whether no place with these states can have an image's bytes, nor have them again."""
    return all(state in (SourceState.GONE, SourceState.CHANGED) for state in states)
