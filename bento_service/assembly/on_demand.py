"""What few services have: the libraries for it are loaded only where the settings ask for it."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from bento_service.catalogue import Catalogue
from bento_service.catalogue.records import Computed
from bento_service.settings import Settings
from bento_service.storage.image_roots import ImageRoots

if TYPE_CHECKING:
    from bento_service.fetching.fetcher import Fetcher
    from bento_service.ingest.watcher import Watcher


def watcher(
    settings: Settings,
    catalogue: Catalogue,
    roots: ImageRoots,
    computed: Computed,
    on_job: Callable[[], None],
) -> "Watcher":
    """What follows the image roots that are watched; see `Watcher`."""
    from bento_service.ingest.watcher import Watched, Watcher

    watched = [
        Watched(root, collection, settings.watch_prune, settings.watch_poll_seconds)
        for root, collection in settings.watched(roots.all)
    ]
    return Watcher(catalogue, roots, computed, watched, on_job=on_job)


def fetcher(settings: Settings) -> "Fetcher | None":
    """What fetches pictures from URLs; none where that is off."""
    if not settings.urls:
        return None
    from bento_service.fetching.fetcher import Fetcher
    from bento_service.fetching.places import FetchRules

    return Fetcher(
        FetchRules(
            max_bytes=settings.max_upload_bytes,
            seconds=settings.url_seconds,
            hosts=settings.url_hosts,
            ports=settings.url_ports,
            networks=settings.url_networks,
        )
    )
