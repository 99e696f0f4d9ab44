"""Comparison of the indexes with the catalogue, and their replay.

A collection has several indexes during and after a reindex.
"""

import time
from collections.abc import Callable

from sqlalchemy import Connection, delete, update

from bento_service.admin.answer import Refusal
from bento_service.admin.progress import stage
from bento_service.catalogue import Catalogue
from bento_service.catalogue.indexes import index_prefix
from bento_service.catalogue.tables import indexes, replacements
from bento_service.gallery.gallery import Gallery
from bento_service.indexing.replay import Replay

_POLL_SECONDS = 0.05
_STANDSTILL_SECONDS = 900.0


def forget_progress(connection: Connection) -> None:
    """Reset every index's cursor, so that the next replay sends all images again."""
    connection.execute(update(indexes).values(applied=0))
    connection.execute(delete(replacements))


def own_indexes(catalogue: Catalogue, gallery: Gallery) -> tuple[set[str], set[str]]:
    """Return the names of this catalogue's indexes in use, and of those left over."""
    used = {name for index in catalogue.indexes.all() for name in index.names}
    prefix = index_prefix(catalogue.collections.instance_id())
    own = {name for name in gallery.names() if name.startswith(prefix)}
    return own & used, own - used


def follow_to_the_end(
    catalogue: Catalogue, gallery: Gallery, *, on_purged: Callable[[set[str]], None]
) -> None:
    """Run the service's replay until every index matches the catalogue.

    It finishes a reindex that has nothing left to describe, like a start of the service, and calls
    `on_purged` with the digests of uploads that may have lost their last image.
    """
    followed = catalogue.indexes.all()
    with (
        stage("indexes", len(followed), "indexes") as advance,
        Replay(catalogue, gallery, on_purged=on_purged) as replay,
    ):
        state, since, finished = _state(catalogue, replay), time.monotonic(), 0
        while not all(done for _, _, done in state):
            if not replay.alive or time.monotonic() - since > _STANDSTILL_SECONDS:
                raise Refusal("the index could not be brought up to date; the log says why")
            time.sleep(_POLL_SECONDS)
            current = _state(catalogue, replay)
            if current != state:
                state, since = current, time.monotonic()
                done = sum(done for _, _, done in state)
                advance(done - finished)
                finished = done
        advance(len(followed) - finished)
    # A reindex that finished at the very end leaves an older index behind.
    for name in own_indexes(catalogue, gallery)[1]:
        gallery.drop(name)


def _state(catalogue: Catalogue, replay: Replay) -> list[tuple[str, int, bool]]:
    """Return each index's name, its applied revision, and if that is the last one."""
    unfinished = {index.name for index in catalogue.reindexes.due()}
    return [
        (
            index.name,
            index.applied,
            replay.is_open(index)
            and index.applied >= index.revision
            and index.name not in unfinished,
        )
        for index in catalogue.indexes.all()
    ]
