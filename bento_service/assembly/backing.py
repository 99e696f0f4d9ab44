"""Replaceable parts of an application: those of a service, or those of the local service."""

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
    """The replaceable parts of an application.

    Attributes:
        tries_decoder: True if a decoder is started at once, to report early if none can start.
        embedded_name, max_embedded: See `IndexRule`.
    """

    gallery: Callable[[Settings, Catalogue], Gallery]
    roots: Callable[[Settings, Catalogue], ImageRoots]
    tries_decoder: bool = True
    embedded_name: str = "Milvus Lite"
    max_embedded: int = MAX_LITE


def _milvus(settings: Settings, catalogue: Catalogue) -> Gallery:
    # pymilvus takes seconds to import and much memory, and is not installed everywhere.
    from bento_service.gallery.cached_lite import cached_gallery

    return cached_gallery(settings, catalogue.descriptors.of_index)


def _bound(settings: Settings, catalogue: Catalogue) -> ImageRoots:
    return bound_roots(catalogue, settings.image_roots)


SERVICE = Backing(gallery=_milvus, roots=_bound)
"""The parts of a service: Milvus, and the configured and remembered image roots."""
