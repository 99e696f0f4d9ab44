"""Opening of the uploads alone, for a service and for the operator's commands."""

from collections.abc import Iterator
from contextlib import contextmanager

from bento_service.catalogue import Catalogue
from bento_service.settings import Settings
from bento_service.storage.blob_stores import open_blob_store
from bento_service.storage.uploads import Uploads


@contextmanager
def open_uploads(settings: Settings, catalogue: Catalogue) -> Iterator[Uploads]:
    """Open the uploads of a service that holds the data folder."""

    def unneeded(digests: set[str]) -> set[str]:
        ended_after = settings.retriable_since()
        return catalogue.upload_references.unneeded(digests, ended_after=ended_after)

    catalogue.upload_pins.forget_earlier()
    blobs = open_blob_store(settings)
    with Uploads(blobs, catalogue.upload_pins, unneeded=unneeded) as uploads:
        yield uploads
