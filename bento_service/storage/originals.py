"""The bytes of an indexed image, from wherever they were found."""

import hashlib

from bento_service.catalogue.records import ImageRecord, SourceRecord
from bento_service.catalogue.tables import SourceKind
from bento_service.errors import Forbidden, ImageNotFound, PathNotFound
from bento_service.storage.image_roots import ImageRoots
from bento_service.storage.uploads import Uploads


class Originals:
    """Reads originals; bytes that are not the ones that were indexed are never given out."""

    def __init__(self, roots: ImageRoots, uploads: Uploads) -> None:
        self._roots = roots
        self._uploads = uploads

    def read(self, image: ImageRecord) -> bytes:
        """The bytes that were indexed, from the first source that still has them.

        Raises:
            ImageNotFound: Every source is gone or was changed.
        """
        for source in image.sources:
            try:
                data = self._bytes_at(source, image)
            except (PathNotFound, Forbidden, ImageNotFound, OSError):
                continue
            if hashlib.sha256(data).hexdigest() == image.sha256:
                return data
        roots = {one.root for one in image.sources if one.kind is SourceKind.FILE}
        if reasons := [why for root in sorted(roots) if (why := self._roots.unavailable(root))]:
            raise ImageNotFound(f"the original of image {image.id}: {'; '.join(reasons)}")
        raise ImageNotFound(
            f"the original of image {image.id} was moved or changed since it was indexed; put it "
            "back, or train again and delete this image"
        )

    def _bytes_at(self, source: SourceRecord, image: ImageRecord) -> bytes:
        if source.kind is SourceKind.UPLOAD:
            with self._uploads.open(image.sha256) as stored:
                return stored.read()
        with self._roots.opened(source.root, source.path) as file:
            return file.read(image.bytes + 1)
