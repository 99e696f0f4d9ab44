"""What an application stands on, apart from its settings: a service's, or that of one process."""

from collections.abc import Callable
from dataclasses import dataclass

from bento_service.catalogue import Catalogue
from bento_service.gallery.gallery import Gallery
from bento_service.gallery.index_types import MAX_LITE
from bento_service.settings import Settings
from bento_service.storage.image_roots import ImageRoots
from bento_service.storage.root_bindings import bound_roots


@dataclass(frozen=True)
class Backing:
    """What an application stands on.

    Attributes:
        gallery: The index of a catalogue.
        roots: The folders that are read.
        tries_decoder: Start a decoder before one is needed, so that it is known whether it does.
        by: What an embedded index is, for people.
        most: Images that it serves well.
    """

    gallery: Callable[[Settings, Catalogue], Gallery]
    roots: Callable[[Settings, Catalogue], ImageRoots]
    tries_decoder: bool = True
    by: str = "Milvus Lite"
    most: int = MAX_LITE


def _milvus(settings: Settings, catalogue: Catalogue) -> Gallery:
    del catalogue
    # pymilvus takes seconds and much memory, and is not installed everywhere.
    from bento_service.gallery.milvus_gallery import MilvusGallery

    return MilvusGallery(settings.milvus, effort=settings.index_effort)


def _bound(settings: Settings, catalogue: Catalogue) -> ImageRoots:
    return bound_roots(catalogue, settings.image_roots)


SERVICE = Backing(gallery=_milvus, roots=_bound)
"""What a service has: Milvus, the image roots of its settings, and those that it remembers."""
