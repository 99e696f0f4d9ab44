"""Checks that the sources of images still have their bytes."""

from enum import StrEnum
from typing import BinaryIO

from bento_service.catalogue.records import SourceRecord
from bento_service.catalogue.states import SourceKind
from bento_service.errors import Forbidden, ImageNotFound, PathNotFound, StorageUnavailable
from bento_service.settings import Settings
from bento_service.storage.blob_stores import open_blob_store
from bento_service.storage.digests import stream_digest
from bento_service.storage.image_roots import ImageRoots


class SourceState(StrEnum):
    """The state of a source. Only `GONE` and `CHANGED` are certain losses."""

    WHOLE = "whole"
    GONE = "gone"
    CHANGED = "changed"
    UNREADABLE = "unreadable"
    AWAY = "away"


class Sources:
    """A read-only view of the image roots and uploads.

    The sources under a root are `AWAY` if its folder is unknown, cannot be opened or is empty, like
    a mount point without its disk. So are all uploads if there is not one, and everything in object
    storage that does not answer. With `deep`, bytes are
    compared by SHA-256, otherwise by their number.
    """

    def __init__(self, settings: Settings, roots: ImageRoots, *, deep: bool) -> None:
        self._roots = roots
        self._present = {name for name in roots.names if roots.unavailable(name) is None}
        self._uploads = open_blob_store(settings)
        self._has_uploads = any(self._uploads.stored())
        self._deep = deep

    def state(self, source: SourceRecord, sha256: str, size: int) -> SourceState:
        """Return the state of a source of an image with that digest and number of bytes."""
        try:
            if source.kind is SourceKind.UPLOAD:
                return self._state_of_upload(sha256, size)
            if source.root not in self._present:
                return SourceState.AWAY
            with self._roots.opened(source.root, source.path) as file:
                if file.stamp.size != size:
                    return SourceState.CHANGED
                return self._compared(file.stream, sha256) if self._deep else SourceState.WHOLE
        except ImageNotFound:
            return SourceState.GONE
        except StorageUnavailable:
            return SourceState.AWAY
        except PathNotFound as error:
            gone = isinstance(error.__cause__, FileNotFoundError)
            return SourceState.GONE if gone else SourceState.UNREADABLE
        except (Forbidden, OSError):
            return SourceState.UNREADABLE

    def _state_of_upload(self, sha256: str, size: int) -> SourceState:
        try:
            if not self._has_uploads:
                return SourceState.AWAY
            if self._deep:
                with self._uploads.open(sha256) as file:
                    return self._compared(file, sha256)
            stored = self._uploads.sizes([sha256])
        except StorageUnavailable:
            return SourceState.AWAY
        if sha256 not in stored:
            return SourceState.GONE
        return SourceState.WHOLE if stored[sha256] == size else SourceState.CHANGED

    @staticmethod
    def _compared(file: BinaryIO, sha256: str) -> SourceState:
        return SourceState.WHOLE if stream_digest(file) == sha256 else SourceState.CHANGED
