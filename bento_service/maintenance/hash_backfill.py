"""Backfills perceptual hashes for images that were indexed before hashes existed.

Each step hashes a few images from their originals and writes the hashes in one short transaction,
so that nothing waits for it. Images whose original cannot be read are tried again after a restart.
"""

import logging
from collections.abc import Callable

from bento_service.catalogue import Catalogue
from bento_service.errors import (
    CatalogueUnavailable,
    ImageNotFound,
    LookalikeError,
    NotReady,
    Overloaded,
)
from bento_service.pictures.formats import Colour
from bento_service.pictures.perceptual_hash import hashes_of, stored
from bento_service.pictures.picture import Decoder
from bento_service.storage.originals import Originals

BACKFILL_SECONDS = 0.5
"""Seconds between two steps."""
_IMAGES_PER_STEP = 8
_log = logging.getLogger(__name__)


class HashBackfill:
    """Goes once over the images that have no hashes.

    Args:
        side: Height and width of the pictures that are hashed, in pixels.
        padding: The colour that makes a picture square; see `pictures.square.square`.
        is_busy: Returns whether other work comes first.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        originals: Originals,
        decoder: Decoder,
        *,
        side: int,
        padding: Colour | None = None,
        is_busy: Callable[[], bool] = lambda: False,
    ) -> None:
        self._catalogue = catalogue
        self._originals = originals
        self._decoder = decoder
        self._side = side
        self._padding = padding
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
                _log.info("%d images have no hashes: their originals are gone", self._skipped)
            return
        try:
            hashes = {
                image_id: new for image_id in ids if (new := self._hash(image_id)) is not None
            }
        except CatalogueUnavailable:
            raise
        except (NotReady, Overloaded):  # other requests need the decoders; the next step is soon
            return
        self._catalogue.hashes.write(hashes)
        self._skipped += len(ids) - len(hashes)
        self._after = ids[-1]

    def _hash(self, image_id: int) -> bytes | None:
        try:
            image = self._catalogue.images.get(image_id)
            data = self._originals.read(image)
            picture = self._decoder.decode(data, side=self._side, padding=self._padding)
        except (NotReady, Overloaded):
            raise
        except ImageNotFound:
            return None
        except LookalikeError as error:
            _log.info("image %d has no hashes: %s", image_id, error.code)
            return None
        return stored(hashes_of(picture.pixels))
