"""The stored hashes and miniatures of images, as arrays."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from bento_service.catalogue import Catalogue
from bento_service.pictures import miniature
from bento_service.pictures.miniature import Miniature
from bento_service.pictures.perceptual_hash import Closeness, Hashes, closeness_of_each, restored


def stored_hashes(catalogue: Catalogue, image_ids: Iterable[int]) -> dict[int, Hashes | None]:
    """Return the hashes of those images that are not deleted."""
    found = catalogue.hashes.of(image_ids)
    return {image_id: restored(data) for image_id, data in found.items()}


def stored_miniatures(catalogue: Catalogue, image_ids: Iterable[int]) -> dict[int, Miniature]:
    """Return the miniatures of those images that have one."""
    found = catalogue.hashes.miniatures(image_ids)
    return {image_id: miniature.restored(data) for image_id, data in found.items()}


def stored_prints(
    catalogue: Catalogue, image_ids: Sequence[int]
) -> dict[int, tuple[Hashes | None, Miniature | None]]:
    """Return hashes and miniatures of a few images; those that are deleted have no entry."""
    return {
        image_id: (restored(hashes), None if small is None else miniature.restored(small))
        for image_id, (hashes, small) in catalogue.hashes.both(image_ids).items()
    }


def closeness_by_id(
    own: Hashes | None, others: Mapping[int, Hashes | None]
) -> dict[int, Closeness]:
    """Return the closeness of a picture's hashes to those of each image that has hashes."""
    known = {image_id: hashes for image_id, hashes in others.items() if hashes is not None}
    if own is None or not known:
        return {}
    return dict(zip(known, closeness_of_each(own, np.stack(list(known.values()))), strict=True))
