"""Backfill of hashes and miniatures for images that were indexed before these existed.

Each step reads the originals of a few images and writes the results in one short transaction, so
that nothing waits for it. Images whose original cannot be read are tried again after a restart.
"""

import logging
from collections.abc import Callable

from bento_service.catalogue import Catalogue
from bento_service.descriptors.describer import Describer
from bento_service.errors import (
    CatalogueUnavailable,
    ImageNotFound,
    LookalikeError,
    NotReady,
    Overloaded,
)
from bento_service.pictures.miniature import stored_prints_of
from bento_service.storage.originals import Originals

BACKFILL_SECONDS = 0.5
"""Seconds between two steps."""
_IMAGES_PER_STEP = 8
_log = logging.getLogger(__name__)


class HashBackfill:
    """A walk over the images that have no hashes or no miniature; it pauses while `is_busy`."""

    def __init__(
        self,
        catalogue: Catalogue,
        originals: Originals,
        describer: Describer,
        *,
        is_busy: Callable[[], bool] = lambda: False,
    ) -> None:
        self._catalogue = catalogue
        self._originals = originals
        self._describer = describer
        self._is_busy = is_busy
        self._after: int | None = 0
        self._skipped = 0

    def step(self) -> None:
        """Hash some images; do nothing once all were tried."""
        if self._after is None or self._is_busy():
            return
        ids = self._catalogue.hashes.missing(after=self._after, limit=_IMAGES_PER_STEP)
        if not ids:
            self._after = None
            if self._skipped:
                _log.info(
                    "%d images have no hashes or miniatures: their originals are gone",
                    self._skipped,
                )
            return
        try:
            prints = {
                image_id: new for image_id in ids if (new := self._prints(image_id)) is not None
            }
        except CatalogueUnavailable:
            raise
        except (NotReady, Overloaded):  # other requests need the decoders; the next step is soon
            return
        self._catalogue.hashes.write(prints)
        self._skipped += len(ids) - len(prints)
        self._after = ids[-1]

    def _prints(self, image_id: int) -> tuple[bytes, bytes] | None:
        try:
            image = self._catalogue.images.get(image_id)
            data = self._originals.read(image)
            picture = self._describer.decode(data)
        except (NotReady, Overloaded):
            raise
        except ImageNotFound:
            return None
        except LookalikeError as error:
            _log.info("image %d has no hashes or miniature: %s", image_id, error.code)
            return None
        return stored_prints_of(picture.pixels)
