"""The nearest images of images in one state of an index, with the changes that it lacks."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from bento_service.catalogue import Catalogue
from bento_service.catalogue.records import IndexRecord
from bento_service.gallery.gallery import Gallery, Neighbour
from bento_service.search.pending import pending_changes
from bento_service.search.ranking import ranked


class Neighbours:
    """The nearest images; the constructor reads the changes that the index lacks.

    Raises:
        IndexUnavailable: The index lacks too many changes, or does not answer.
    """

    def __init__(self, catalogue: Catalogue, gallery: Gallery, index: IndexRecord) -> None:
        self._catalogue = catalogue
        self._gallery = gallery
        self._index = index
        changes = pending_changes(catalogue, index)
        living = [change for change in changes if not change.deleted]
        self._deleted = len(changes) - len(living)
        self._changed = {change.image_id for change in changes}
        self._pending_ids = [change.image_id for change in living]
        vectors = [change.descriptor for change in living]
        self._pending = np.stack(vectors) if vectors else np.empty((0, index.space.dimension))
        # Once, since a server is asked for it.
        self._scores_are_exact = not index.applied or gallery.kind(index.name).has_exact_scores

    def descriptors(self, image_ids: Iterable[int]) -> dict[int, NDArray[np.float32]]:
        """Return the descriptors of those images that are not deleted."""
        return {
            int(image_id): vector
            for ids, vectors in self._catalogue.descriptors.of(self._index, image_ids)
            for image_id, vector in zip(ids, vectors, strict=True)
        }

    def of(
        self, vectors: Mapping[int, NDArray[np.float32]], count: int
    ) -> dict[int, list[Neighbour]]:
        """Return the nearest others of each image, given with its descriptor, best first."""
        if not vectors:
            return {}
        hits: list[list[Neighbour]] = [[] for _ in vectors]
        if self._index.applied:
            queries = np.stack(list(vectors.values()))
            asked = count + 1 + self._deleted
            hits = self._gallery.search_each(self._index.name, queries, top_k=asked)
        return {
            image_id: [hit for hit in self._merged(near, vector) if hit.image_id != image_id][
                :count
            ]
            for (image_id, vector), near in zip(vectors.items(), hits, strict=True)
        }

    def below(self, image_id: int, count: int) -> list[Neighbour]:
        """Return the images with smaller ids that are nearest to an image, and pending ones."""
        vector = self.descriptors([image_id]).get(image_id)
        if vector is None:  # deleted meanwhile
            return []
        near: list[Neighbour] = []
        if self._index.applied:
            asked = count + self._deleted
            near = self._gallery.search(self._index.name, vector, top_k=asked, below=image_id)
        return self._merged(near, vector)

    def _merged(self, near: Sequence[Neighbour], vector: NDArray[np.float32]) -> list[Neighbour]:
        """Merge the index's neighbours with pending images, best first, each image once."""
        pending = map(Neighbour, self._pending_ids, (self._pending @ vector).tolist())
        applied = [hit for hit in near if hit.image_id not in self._changed]
        neighbours = ranked([*self._exactly_scored(applied, vector), *pending])
        return list({hit.image_id: hit for hit in neighbours}.values())

    def _exactly_scored(
        self, near: list[Neighbour], vector: NDArray[np.float32]
    ) -> list[Neighbour]:
        """Replace the scores of an index that holds rounded descriptors."""
        if self._scores_are_exact:
            return near
        descriptors = self.descriptors([hit.image_id for hit in near])
        return [
            Neighbour(image_id, float(other @ vector)) for image_id, other in descriptors.items()
        ]
