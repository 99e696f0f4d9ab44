"""Reading of a job's files: from bytes to pixels, or to the reason of the failure."""

import os
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from bento_service.catalogue.jobs.records import Described, FileRecord, JobRecord, Outcome, Reading
from bento_service.catalogue.states import FileAction, SourceKind
from bento_service.descriptors.describer import Describer
from bento_service.errors import ImageNotFound, LookalikeError, NotReady, Overloaded, PathNotFound
from bento_service.pictures.miniature import stored_prints_of
from bento_service.pictures.picture import Picture
from bento_service.storage.blob_store import BlobStore
from bento_service.storage.file_size import oversize
from bento_service.storage.image_roots import ImageRoots

_YOUNG_NS = 3 * 10**9  # file systems and servers have clocks as coarse as 2 s
_LARGEST = 2**63 - 1


@dataclass(frozen=True)
class ReadPicture:
    """A decoded file that waits for the descriptors of its picture."""

    file: FileRecord
    picture: Described
    pixels: NDArray[np.uint8]
    reading: Reading | None = None

    def described(self, descriptors: Mapping[str, NDArray[np.float32]]) -> Outcome:
        """Return the file's outcome with its descriptors: (D,) float32, by fingerprint."""
        picture = replace(self.picture, descriptors=descriptors)
        return Outcome(self.file, described=picture, reading=self.reading)


class Reader:
    """A reader of jobs' files, from image roots and from stored uploads.

    `known` returns true if a collection has the bytes of a digest. `original` reads the bytes of a
    collection's image again; `None` if it was deleted.
    """

    def __init__(
        self,
        roots: ImageRoots,
        uploads: BlobStore,
        describer: Describer,
        *,
        known: Callable[[int, str], bool],
        original: Callable[[int, str], bytes | None],
        max_bytes: int,
    ) -> None:
        self._roots = roots
        self._uploads = uploads
        self._describer = describer
        self._known = known
        self._original = original
        self._max_bytes = max_bytes

    def read(self, job: JobRecord, file: FileRecord) -> ReadPicture | Outcome:
        """Read one file; a fault of the file is an outcome, never an exception.

        Raise `NotReady` or `Overloaded` if no decoder is free or the storage does not answer.
        """
        if file.action is FileAction.DELETE:
            return Outcome(file)
        try:
            if job.kind is SourceKind.REINDEX:
                return self._read_again(job, file)
            with self._opened(job, file) as stream:
                return self._read(job, file, stream)
        except (NotReady, Overloaded):
            raise
        except LookalikeError as error:
            return Outcome(file, code=error.code, detail=str(error))
        except OSError as error:
            lost = PathNotFound(f"cannot be read: {error.strerror}")
            return Outcome(file, code=lost.code, detail=str(lost))

    def _opened(self, job: JobRecord, file: FileRecord) -> AbstractContextManager[BinaryIO]:
        if job.kind is SourceKind.UPLOAD:
            return self._uploads.open(file.sha256 or "")
        return self._roots.opened(job.root, file.path, follow_links=job.follow_links)

    def _read(self, job: JobRecord, file: FileRecord, stream: BinaryIO) -> ReadPicture | Outcome:
        size = stream.seek(0, 2)
        if error := oversize(size, self._max_bytes):
            raise error
        before, now_ns = os.fstat(stream.fileno()), time.time_ns()
        with self._describer.decoder.snapshot(stream, max_bytes=self._max_bytes) as snapshot:
            after = os.fstat(stream.fileno())
            reading = Reading(
                now_ns,
                # Some file systems have no ctime, or a wrong one.
                max(after.st_ctime_ns, after.st_mtime_ns),
                trusted_mtime(before, after, now_ns),
                self._roots.volume(after.st_dev),
            )
            sha256, size = file.sha256 or snapshot.sha256, snapshot.size
            if job.collection_id is not None and self._known(job.collection_id, sha256):
                return Outcome(file, known_sha256=sha256, reading=reading)
            picture = self._describer.decode(snapshot)
        if job.dry_run:
            return Outcome(file, checked_sha256=sha256, reading=reading)
        described = undescribed(picture, sha256, size, *stored_prints_of(picture.pixels))
        return ReadPicture(file, described, picture.pixels, reading)

    def _read_again(self, job: JobRecord, file: FileRecord) -> ReadPicture | Outcome:
        sha256 = file.sha256 or ""
        try:
            data = None if job.collection_id is None else self._original(job.collection_id, sha256)
        except ImageNotFound as error:  # the image exists, but its file is missing
            raise PathNotFound(str(error)) from error
        if data is None:
            return Outcome(file, known_sha256=sha256)
        picture = self._describer.decode(data)
        return ReadPicture(file, undescribed(picture, sha256, len(data)), picture.pixels)


def undescribed(picture: Picture, sha256: str, size: int, *prints: bytes) -> Described:
    """Return a decoded picture without descriptors; `prints` are its hashes and its miniature."""
    return Described(sha256, picture.format, picture.width, picture.height, size, {}, *prints)


def trusted_mtime(before: os.stat_result, after: os.stat_result, now_ns: int) -> int | None:
    """Return the mtime of a file in nanoseconds if every later change must alter it, or `None`.

    A file that changed just before it was read, which began at `now_ns`, can change again within
    the same tick of its file system's clock. Its mtime is not trusted, so the file is read again
    the next time.
    """
    is_steady = (before.st_size, before.st_mtime_ns) == (after.st_size, after.st_mtime_ns)
    is_old = before.st_mtime_ns <= now_ns - _YOUNG_NS
    is_storable = abs(before.st_mtime_ns) <= _LARGEST
    return before.st_mtime_ns if is_steady and is_old and is_storable else None
