"""Whether an index that was prepared holds what it should, before searches rely on it."""

import random
from collections.abc import Iterator

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
"""With which they have to."""
MIN_ROUNDED_SCORE = 0.98
"""The same, where the index holds rounded descriptors."""
_MISSES = 0.05
"""The part of the sample that an approximate index may not find."""
_TIED = 1e-5
_NEAREST = 20
_WRONG = 0.01
_CHANGES_A_STEP = 1000


def defect(catalogue: Catalogue, gallery: Gallery, index: IndexRecord) -> str | None:
    """What is wrong with an index, for people; `None` where nothing is.

    It has to hold exactly the images that were applied to it, and a sample of them has to find
    itself first. Nothing else may write to the index meanwhile.

    Raises:
        IndexUnavailable: Milvus does not answer.
    """
    held = gallery.ids(index.name)
    expected = catalogue.changes.living_ids(index.id, up_to=index.applied)
    pending = catalogue.changes.changed_ids(index.id, after=index.applied)
    if wrong := (expected - held - pending) | (held - expected - pending):
        return (
            f"the new index differs from the catalogue in {len(wrong)} images; searches go on with "
            "the former version, reindex again"
        )
    return _unfound(catalogue, gallery, index, sorted(expected))


def _unfound(
    catalogue: Catalogue, gallery: Gallery, index: IndexRecord, ids: list[int]
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
        near = gallery.search(index.name, own, top_k=_NEAREST)
        best = max((one.score for one in near), default=0.0)
        is_near = best >= (MIN_SCORE if kind.has_exact_scores else MIN_ROUNDED_SCORE)
        first = {one.image_id for one in near if one.score > best - _TIED}
        # Of many equal pictures, Milvus may leave out any.
        if is_near and (image_id in first or len(first) >= _NEAREST or not kind.has_exact_scores):
            continue
        spare -= 1
        if spare < 0:
            return (
                f"image {image_id} does not find itself in the new index (best score {best:.4f}); "
                "searches go on with the former version, reindex again"
            )
    return None


def garbled(catalogue: Catalogue, gallery: Gallery, index: IndexRecord) -> int:
    """How many rows of an open index are not those of the catalogue, or are there twice.

    Milvus Lite keeps no checksums, so that changed bytes of its files show in wrong scores alone.
    Killed while it moves rows into a segment, it can have them twice; only searches tell.
    One search with a probe that no picture has looks at `MAX_NEIGHBOURS` of them.

    Raises:
        IndexUnavailable: Milvus does not answer.
    """
    seeded = np.random.default_rng(index.id)
    probe = seeded.standard_normal(index.space.dimension).astype(np.float32)
    probe = probe / np.linalg.norm(probe)
    near = gallery.search(index.name, probe, top_k=MAX_NEIGHBOURS)
    right = dict(_scores(catalogue, index, probe))
    known = (one for one in near if one.image_id in right)
    wrong = sum(not abs(one.score - right[one.image_id]) < _WRONG for one in known)
    return wrong + len(near) - len({one.image_id for one in near})


def _scores(
    catalogue: Catalogue, index: IndexRecord, probe: NDArray[np.float32]
) -> Iterator[tuple[int, float]]:
    """Ids of an index's images with the cosine of each and a probe."""
    after = (0, 0)
    while page := catalogue.changes.page(index.id, after=after, limit=_CHANGES_A_STEP):
        scores = np.stack([change.descriptor for change in page]) @ probe
        yield from zip((change.image_id for change in page), scores.tolist(), strict=True)
        after = (page[-1].revision, page[-1].image_id)
