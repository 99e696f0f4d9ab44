"""The indexes that are open: made equal to the catalogue, and searched."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from bento_service.catalogue import Catalogue
from bento_service.catalogue.records import CollectionRecord, IndexRecord
from bento_service.errors import IndexUnanswered, IndexUnavailable
from bento_service.gallery.gallery import Gallery
from bento_service.indexing.checks import agrees, compare_rows, count_corrupt_rows

MAX_BEHIND = 1000
"""Most changes that an index may lack when it begins to serve."""
_log = logging.getLogger(__name__)


@dataclass
class OpenIndexes:
    """The names of the open indexes, and what it takes to open one.

    An index is opened and compared again after its name was removed from `names`. Every method
    that uses an index raises `IndexUnavailable` if it does not answer. `on_purged` is called with
    the digests of uploads whose last image may be gone.
    """

    catalogue: Catalogue
    gallery: Gallery
    on_purged: Callable[[set[str]], None]
    names: set[str] = field(default_factory=set, init=False)

    def __contains__(self, index: IndexRecord) -> bool:
        return index.name in self.names

    def serve(self, collections: Sequence[CollectionRecord]) -> bool:
        """Return true if every index is open, and one with images is up to date if one is not.

        So a collection that is being filled does not hold up the others.
        """
        if not all(collection.index in self for collection in collections):
            return False
        current = [each for each in collections if not self._is_behind(each.index)]
        return len(current) == len(collections) or any(
            self.catalogue.images.ids(each.id, after=0, limit=1) for each in current
        )

    def _is_behind(self, index: IndexRecord) -> bool:
        return self.catalogue.changes.exceed(MAX_BEHIND, index.id, after=index.applied)

    def open(self, index: IndexRecord) -> None:
        """Open an index, if that was not done, and make it equal to the catalogue."""
        if index in self:
            return
        try:
            self._open_and_compare(index)
        except IndexUnanswered:
            raise
        except IndexUnavailable as error:
            if not self.gallery.is_embedded:  # a server is away more often than damaged
                raise
            _log.warning("index of %s is damaged (%s); rebuilding it", index.collection, error)
            self.gallery.drop(index.name)
            self._open_and_compare(index)

    def observe(self, index: IndexRecord) -> None:
        """Count an index as open if it answers searches, as it does once the owner made it."""
        if index not in self:
            self.probe(index)
            self.names.add(index.name)

    def probe(self, index: IndexRecord) -> None:
        """Search an index."""
        # A server lists its indexes long before it can search them, so only a search is proof.
        probe = np.zeros(index.space.dimension, np.float32)
        self.gallery.search_stored(index.name, probe, top_k=1)

    def purge(self, index: IndexRecord) -> None:
        """Remove the tombstones of a collection that every index has applied."""
        if digests := self.catalogue.images.purge(index.collection_id):
            self.on_purged(digests)

    def _open_and_compare(self, index: IndexRecord) -> None:
        self.gallery.open(index.name, index.space.dimension)
        if self.gallery.is_embedded or not agrees(self.catalogue, self.gallery, index):
            self._repair(index)
        self.purge(index)
        self.probe(index)
        if self.gallery.is_milvus_lite and (
            wrong := count_corrupt_rows(self.catalogue, self.gallery, index)
        ):
            raise IndexUnavailable(f"{wrong} rows are not what was written")
        self.names.add(index.name)

    def _repair(self, index: IndexRecord) -> None:
        """Delete unknown rows from an index, and have missing ones applied again."""
        compared = compare_rows(self.catalogue, self.gallery, index)
        if compared.unknown:
            unknown = sorted(compared.unknown)
            _log.warning("index of %s had %d unknown rows", index.collection, len(unknown))
            self.gallery.delete(index.name, unknown)
        if compared.missing:
            _log.warning("index of %s lacked %d rows", index.collection, len(compared.missing))
            self.catalogue.changes.touch(index, compared.missing)
