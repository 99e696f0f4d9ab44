"""Original bytes of indexed images."""

import hashlib

from bento_service.catalogue.records import ImageRecord, SourceRecord
from bento_service.catalogue.states import SourceKind
from bento_service.errors import Forbidden, ImageNotFound, PathNotFound, StorageUnavailable
from bento_service.storage.blob_store import BlobStore
from bento_service.storage.image_roots import ImageRoots


class Originals:
    """A reader of originals that returns only bytes with the indexed digest."""

    def __init__(self, roots: ImageRoots, uploads: BlobStore) -> None:
        self._roots = roots
        self._uploads = uploads

    def read(self, image: ImageRecord) -> bytes:
        """Return the indexed bytes from the first source that still has them.

        Raises:
            ImageNotFound: Every source is gone or was changed.
            StorageUnavailable: The object storage that may have it does not answer.
        """
        unavailable = None
        for source in image.sources:
            try:
                data = self._bytes_at(source, image)
            except StorageUnavailable as error:
                unavailable = error
                continue
            except (PathNotFound, Forbidden, ImageNotFound, OSError):
                continue
            if hashlib.sha256(data).hexdigest() == image.sha256:
                return data
        if unavailable is not None:
            raise unavailable
        roots = {source.root for source in image.sources if source.kind is SourceKind.FILE}
        if reasons := [*filter(None, map(self._roots.unavailable, sorted(roots)))]:
            raise ImageNotFound(f"the original of image {image.id}: {'; '.join(reasons)}")
        raise ImageNotFound(
            f"the original of image {image.id} was moved or changed since it was indexed; put it "
            "back, or train again and delete this image"
        )

    def _bytes_at(self, source: SourceRecord, image: ImageRecord) -> bytes:
        if source.kind is SourceKind.UPLOAD:
            with self._uploads.open(image.sha256) as stored:
                return stored.read()
        # A link that stays under the root may be followed: only the indexed bytes are returned.
        with self._roots.opened(source.root, source.path, follow_links=True) as file:
            return file.stream.read(image.bytes + 1) if file.stamp.size == image.bytes else b""
