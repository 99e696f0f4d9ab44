"""The indexes beside the catalogue: which rows they should hold, and how they are brought there.

A collection has more than one while it is reindexed and after that. All that these commands know
of the indexes' cursors is here.
"""

import time
from collections.abc import Callable

from sqlalchemy import Connection, delete, update

from bento_service.admin.answer import Refusal
from bento_service.admin.progress import stage
from bento_service.catalogue import Catalogue
from bento_service.catalogue.indexes import index_prefix
from bento_service.catalogue.records import IndexRecord
from bento_service.catalogue.tables import indexes, replacements
from bento_service.gallery.milvus_gallery import MilvusGallery
from bento_service.indexing.replay import Replay

_POLL_SECONDS = 0.05
_STANDSTILL_SECONDS = 900.0


def is_due(index: IndexRecord) -> bool:
    """Whether it should be there; before the first change is applied, none is missed."""
    return index.applied > 0


def forget_progress(connection: Connection) -> None:
    """Let every index begin anew: at the next replay all images are sent to it again."""
    connection.execute(update(indexes).values(applied=0))
    connection.execute(delete(replacements))


def own_indexes(catalogue: Catalogue, gallery: MilvusGallery) -> tuple[set[str], set[str]]:
    """Names of this catalogue's indexes: those that a collection has, and those left over."""
    wanted = {name for index in catalogue.indexes.all() for name in index.names}
    prefix = index_prefix(catalogue.collections.instance_id())
    own = {name for name in gallery.names() if name.startswith(prefix)}
    return own & wanted, own - wanted


def follow_to_the_end(
    catalogue: Catalogue, gallery: MilvusGallery, *, on_purged: Callable[[set[str]], None]
) -> None:
    """Run the service's own replay until every index holds what the catalogue says.

    A reindex that has nothing left to describe is finished by it, as at a start of the service.

    Args:
        catalogue: What is followed.
        gallery: What follows.
        on_purged: Told the digests of uploads whose last image may have gone.

    Raises:
        IndexUnavailable: Milvus does not answer.
        Refusal: Replay made no step for a quarter of an hour.
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
            now = _state(catalogue, replay)
            if now != state:
                state, since = now, time.monotonic()
                done = sum(done for _, _, done in state)
                advance(done - finished)
                finished = done
        advance(len(followed) - finished)
    # A reindex that was finished at the very end leaves the index before the last one behind.
    for name in own_indexes(catalogue, gallery)[1]:
        gallery.drop(name)


def _state(catalogue: Catalogue, replay: Replay) -> list[tuple[str, int, bool]]:
    """Of each index: its name, how far it is, and whether that is the end."""
    to_be_finished = {one.name for one in catalogue.reindexes.due()}
    return [
        (
            one.name,
            one.applied,
            replay.is_open(one) and one.applied >= one.revision and one.name not in to_be_finished,
        )
        for one in catalogue.indexes.all()
    ]
