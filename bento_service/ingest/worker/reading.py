"""One file of a job: from its bytes to pixels, or to the reason why not."""

import os
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from bento_service.catalogue.jobs.records import (
    Described,
    FileRecord,
    JobRecord,
    Outcome,
    Reading,
)
from bento_service.catalogue.records import StoredHashes
from bento_service.catalogue.tables import FileAction, SourceKind
from bento_service.errors import (
    ImageNotFound,
    LookalikeError,
    NotReady,
    Overloaded,
    PathNotFound,
    TooLarge,
)
from bento_service.pictures.formats import Colour
from bento_service.pictures.perceptual_hash import hashes_of, stored
from bento_service.pictures.picture import Decoder, Picture, Source
from bento_service.storage.image_roots import ImageRoots
from bento_service.storage.uploads import Uploads

_YOUNG_NS = 3 * 10**9  # file systems and servers tell the time as coarsely as 2 s
_LARGEST = 2**63 - 1


@dataclass(frozen=True)
class ReadPicture:
    """A decoded file that waits to be described."""

    file: FileRecord
    sha256: str
    bytes: int
    picture: Picture
    hashes: StoredHashes | None = None
    reading: Reading | None = None

    def described(self, descriptors: Mapping[str, NDArray[np.float32]]) -> Outcome:
        """What became of the file, given its descriptors: (D,) float32, by fingerprint."""
        return Outcome(
            self.file,
            described=Described(
                sha256=self.sha256,
                format=self.picture.format,
                width=self.picture.width,
                height=self.picture.height,
                bytes=self.bytes,
                descriptors=descriptors,
                hashes=self.hashes,
            ),
            reading=self.reading,
        )


class Reader:
    """Reads the files of jobs, from image roots and from stored uploads."""

    def __init__(
        self,
        roots: ImageRoots,
        uploads: Uploads,
        decoder: Decoder,
        *,
        known: Callable[[int, str], bool],
        original: Callable[[int, str], bytes | None],
        side: int,
        padding: Colour | None = None,
        max_bytes: int,
    ) -> None:
        """Prepare.

        Args:
            roots: Where files may be read.
            uploads: Where uploaded bytes are.
            decoder: Decodes pictures.
            known: Whether a collection holds bytes of a digest already.
            original: Reads the bytes of a collection's image again; none where it was deleted.
            side: Of the pictures that the embedder takes, in pixels.
            padding: How they become squares; see `vision.square.square`.
            max_bytes: Largest file.
        """
        self._roots = roots
        self._uploads = uploads
        self._decoder = decoder
        self._known = known
        self._original = original
        self._side = side
        self._padding = padding
        self._max_bytes = max_bytes

    def read(self, job: JobRecord, file: FileRecord) -> ReadPicture | Outcome:
        """Read one file; whatever is wrong with it is an outcome, never an exception.

        Raises:
            NotReady, Overloaded: No decoder is free, which is not the file's fault; try again.
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
        return self._roots.opened(job.root, file.path)

    def _read(self, job: JobRecord, file: FileRecord, stream: BinaryIO) -> ReadPicture | Outcome:
        size = stream.seek(0, 2)
        if size > self._max_bytes:
            raise TooLarge(
                f"the file has {size} bytes; at most {self._max_bytes} are accepted: "
                "LOOKALIKE_MAX_UPLOAD_BYTES raises that"
            )
        before, now_ns = os.fstat(stream.fileno()), time.time_ns()
        with self._decoder.snapshot(stream, max_bytes=self._max_bytes) as snapshot:
            after = os.fstat(stream.fileno())
            reading = Reading(
                now_ns,
                # Some file systems have no time of change, or no sensible one.
                max(after.st_ctime_ns, after.st_mtime_ns),
                trusted_mtime(before, after, now_ns),
                self._roots.volume(after.st_dev),
            )
            sha256, size = file.sha256 or snapshot.sha256, snapshot.size
            if job.collection_id is not None and self._known(job.collection_id, sha256):
                return Outcome(file, known_sha256=sha256, reading=reading)
            picture = self._decoded(snapshot)
        if job.dry_run:
            return Outcome(file, checked_sha256=sha256, reading=reading)
        hashes = stored(hashes_of(picture.pixels))
        return ReadPicture(file, sha256, size, picture, hashes, reading)

    def _read_again(self, job: JobRecord, file: FileRecord) -> ReadPicture | Outcome:
        sha256 = file.sha256 or ""
        try:
            data = None if job.collection_id is None else self._original(job.collection_id, sha256)
        except ImageNotFound as error:  # the image is there, its file is not
            raise PathNotFound(str(error)) from error
        if data is None:
            return Outcome(file, known_sha256=sha256)
        return ReadPicture(file, sha256, len(data), self._decoded(data))

    def _decoded(self, source: Source) -> Picture:
        return self._decoder.decode(source, side=self._side, padding=self._padding)


def trusted_mtime(before: os.stat_result, after: os.stat_result, now_ns: int) -> int | None:
    """When a file that was read changed last, if every later change would give another time.

    A file that changed just before it was read can change again within the same tick of its
    file system's clock; its time tells nothing, so that it is read again the next time.

    Args:
        before: The file before it was read.
        after: And afterwards.
        now_ns: When the reading began.
    """
    is_steady = (before.st_size, before.st_mtime_ns) == (after.st_size, after.st_mtime_ns)
    is_old = before.st_mtime_ns <= now_ns - _YOUNG_NS
    is_storable = abs(before.st_mtime_ns) <= _LARGEST
    return before.st_mtime_ns if is_steady and is_old and is_storable else None
