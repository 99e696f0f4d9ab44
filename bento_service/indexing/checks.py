"""Comparisons of an index with the catalogue; `IndexUnavailable` if the index does not answer."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bento_service.catalogue import Catalogue
from bento_service.catalogue.records import IndexRecord
from bento_service.errors import ImageNotFound
from bento_service.gallery.gallery import Gallery
from bento_service.gallery.index_types import MAX_NEIGHBOURS

SAMPLE = 64
"""Images that have to find themselves."""
MIN_SCORE = 0.999
"""The score with which they have to find themselves."""
MIN_ROUNDED_SCORE = 0.98
"""The same for an index of rounded descriptors."""
_SAMPLED_IDS = 1000
_MISSES = 0.05
"""The part of the sample that an approximate index may miss."""
_TIED = 1e-5
_NEAREST = 20
_WRONG = 0.01


@dataclass(frozen=True)
class RowComparison:
    """The rows of an index compared with the catalogue; pending changes are no difference.

    Attributes:
        rows: The number of the index's rows.
        expected: Ids of the images that the index should have.
        missing: Ids that it should have and does not have.
        unknown: Ids that it has and should not have.
    """

    rows: int
    expected: set[int]
    missing: set[int]
    unknown: set[int]


def compare_rows(catalogue: Catalogue, gallery: Gallery, index: IndexRecord) -> RowComparison:
    """Compare the ids of an open index with the catalogue."""
    ids = gallery.ids(index.name)
    expected = catalogue.changes.living_ids(index.id, up_to=index.applied)
    pending = catalogue.changes.changed_ids(index.id, after=index.applied)
    return RowComparison(len(ids), expected, expected - ids - pending, ids - expected - pending)


def agrees(catalogue: Catalogue, gallery: Gallery, index: IndexRecord) -> bool:
    """Return true if an open index has as many rows as it should, and a sample of them.

    This takes two seconds for a million images, and `compare_rows` twenty. An index that has
    changes to apply does not agree, since some of them may be applied already.

    Raises:
        IndexUnavailable: The index does not answer.
    """
    if catalogue.changes.exceed(0, index.id, after=index.applied):
        return False
    living = catalogue.changes.count_living(index.id)
    if gallery.count(index.name) != living:
        return False
    one_in = max(1, living // _SAMPLED_IDS)
    sample = catalogue.changes.sample_living(index.id, one_in=one_in)
    return gallery.present(index.name, sample) == sample and bool(sample or not living)


def defect(catalogue: Catalogue, gallery: Gallery, index: IndexRecord) -> str | None:
    """Return the defect of a prepared index, for people; `None` if it can serve.

    It must hold exactly the images that were applied to it, and a sample of them must find
    themselves. Nothing else may write to the index meanwhile.
    """
    compared = compare_rows(catalogue, gallery, index)
    if wrong := compared.missing | compared.unknown:
        return f"the new index differs from the catalogue in {len(wrong)} images"
    return _self_search_defect(catalogue, gallery, index, sorted(compared.expected))


def _self_search_defect(
    catalogue: Catalogue, gallery: Gallery, index: IndexRecord, ids: Sequence[int]
) -> str | None:
    seeded = random.Random(index.name)  # noqa: S311 - a sample, no secret
    sample = seeded.sample(ids, min(SAMPLE, len(ids)))
    kind = gallery.kind(index.name)
    spare = 0 if kind.is_exact else int(_MISSES * len(sample))
    for image_id in sample:
        try:
            own = catalogue.images.descriptor(image_id, index.id)
        except ImageNotFound:
            continue  # deleted by now
        near = gallery.search_stored(index.name, own, top_k=_NEAREST)
        best = max((hit.score for hit in near), default=0.0)
        is_near = best >= (MIN_SCORE if kind.has_exact_scores else MIN_ROUNDED_SCORE)
        first = {hit.image_id for hit in near if hit.score > best - _TIED}
        # Of many equal pictures, the index may leave out any.
        if is_near and (image_id in first or len(first) >= _NEAREST or not kind.has_exact_scores):
            continue
        spare -= 1
        if spare < 0:
            return f"image {image_id} does not find itself in the new index (best score {best:.4f})"
    return None


def count_corrupt_rows(catalogue: Catalogue, gallery: Gallery, index: IndexRecord) -> int:
    """Return how many rows of an open index have wrong descriptors or exist twice.

    Without checksums, changed bytes of an index file only show in wrong scores, and an index that
    was killed while it moved rows can return them twice. One search with a random probe compares
    `MAX_NEIGHBOURS` rows.
    """
    seeded = np.random.default_rng(index.id)
    probe = seeded.standard_normal(index.space.dimension).astype(np.float32)
    probe = probe / np.linalg.norm(probe)
    near = gallery.search_stored(index.name, probe, top_k=MAX_NEIGHBOURS)
    scores = _scores(catalogue, index, probe)
    known = (hit for hit in near if hit.image_id in scores)
    wrong = sum(not abs(hit.score - scores[hit.image_id]) < _WRONG for hit in known)
    return wrong + len(near) - len({hit.image_id for hit in near})


def _scores(
    catalogue: Catalogue, index: IndexRecord, probe: NDArray[np.float32]
) -> dict[int, float]:
    """Return the cosines of a probe and the catalogue's descriptors, by image id."""
    scores: dict[int, float] = {}
    for ids, vectors in catalogue.descriptors.all(index):
        scores.update(zip(ids.tolist(), (vectors @ probe).tolist(), strict=True))
    return scores
