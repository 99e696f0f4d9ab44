"""One file of a job: from its bytes to pixels, or to the reason why not."""

import hashlib
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from bento_service.catalogue.records import Described, FileRecord, JobRecord, Outcome
from bento_service.catalogue.tables import SourceKind
from bento_service.errors import ImageNotFound, LookalikeError, PathNotFound, TooLarge
from bento_service.ingest.roots import ImageRoots
from bento_service.ingest.uploads import Uploads
from bento_service.vision.decode import Colour, Picture, decode

_BLOCK = 2**20


@dataclass(frozen=True)
class ReadPicture:
    """A decoded file that waits to be described."""

    file: FileRecord
    sha256: str
    bytes: int
    picture: Picture

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
            ),
        )


class Reader:
    """Reads the files of jobs, from image roots and from stored uploads."""

    def __init__(
        self,
        roots: ImageRoots,
        uploads: Uploads,
        *,
        known: Callable[[int, str], bool],
        original: Callable[[int, str], bytes | None],
        side: int,
        padding: Colour | None = None,
        max_bytes: int,
        max_pixels: int,
    ) -> None:
        """Prepare.

        Args:
            roots: Where files may be read.
            uploads: Where uploaded bytes are.
            known: Whether a collection holds bytes of a digest already.
            original: Reads the bytes of a collection's image again; none where it was deleted.
            side: Of the pictures that the embedder takes, in pixels.
            padding: How they become squares; see `decode`.
            max_bytes: Largest file.
            max_pixels: Largest picture.
        """
        self._roots = roots
        self._uploads = uploads
        self._known = known
        self._original = original
        self._side = side
        self._padding = padding
        self._max_bytes = max_bytes
        self._max_pixels = max_pixels

    def read(self, job: JobRecord, file: FileRecord) -> ReadPicture | Outcome:
        """Read one file; whatever is wrong with it is an outcome, never an exception."""
        try:
            if job.kind is SourceKind.REINDEX:
                return self._read_again(job, file)
            with self._opened(job, file) as stream:
                return self._read(job, file, stream)
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
        sha256, size = file.sha256, stream.seek(0, 2)
        if size > self._max_bytes:
            raise TooLarge(
                f"the file has {size} bytes; at most {self._max_bytes} are accepted: "
                "LOOKALIKE_MAX_UPLOAD_BYTES raises that"
            )
        stream.seek(0)
        data = stream.read(self._max_bytes)
        sha256 = sha256 or hashlib.sha256(data).hexdigest()
        if job.collection_id is not None and self._known(job.collection_id, sha256):
            return Outcome(file, known_sha256=sha256)
        return ReadPicture(file, sha256, len(data), self._decoded(data))

    def _read_again(self, job: JobRecord, file: FileRecord) -> ReadPicture | Outcome:
        sha256 = file.sha256 or ""
        try:
            data = None if job.collection_id is None else self._original(job.collection_id, sha256)
        except ImageNotFound as error:  # the image is there, its file is not
            raise PathNotFound(str(error)) from error
        if data is None:
            return Outcome(file, known_sha256=sha256)
        return ReadPicture(file, sha256, len(data), self._decoded(data))

    def _decoded(self, data: bytes) -> Picture:
        return decode(data, side=self._side, padding=self._padding, max_pixels=self._max_pixels)
