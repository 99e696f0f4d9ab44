"""Gives images the perceptual hashes that they lack: those of before there were any.

Little by little, from their originals: a few images a step, and each step is one short transaction,
so that nobody waits for it. What is done is in the catalogue, so a start goes on where the last one
ended. Images whose original cannot be read stay without; the next start looks at them again.
"""

import logging
from collections.abc import Callable

from bento_service.catalogue import Catalogue
from bento_service.errors import ImageNotFound, LookalikeError, NotReady, Overloaded
from bento_service.pictures.formats import Colour
from bento_service.pictures.perceptual_hash import hashes_of, stored
from bento_service.pictures.picture import Decoder
from bento_service.storage.originals import Originals

FILLING_SECONDS = 0.5
"""Between two steps."""
_IMAGES_A_STEP = 8
_log = logging.getLogger(__name__)


class HashFilling:
    """Goes once over the images that have no hashes."""

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
        """Prepare.

        Args:
            catalogue: Where the images are.
            originals: Their bytes.
            decoder: Decodes them.
            side: Of the pictures that are hashed, in pixels.
            padding: How they become squares; see `vision.square.square`.
            is_busy: Whether there is something to do that comes first.
        """
        self._catalogue = catalogue
        self._originals = originals
        self._decoder = decoder
        self._side = side
        self._padding = padding
        self._is_busy = is_busy
        self._after: int | None = 0
        self._left_out = 0

    def step(self) -> None:
        """Hash some images; nothing once all were looked at."""
        if self._after is None or self._is_busy():
            return
        ids = self._catalogue.hashes.missing(after=self._after, limit=_IMAGES_A_STEP)
        if not ids:
            self._after = None
            if self._left_out:
                _log.info("%d images have no hashes: their originals are gone", self._left_out)
            return
        try:
            found = {one: made for one in ids if (made := self._made(one)) is not None}
        except (NotReady, Overloaded):  # others need the decoders; the next step comes soon
            return
        self._catalogue.hashes.write(found)
        self._left_out += len(ids) - len(found)
        self._after = ids[-1]

    def _made(self, image_id: int) -> bytes | None:
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
