"""The index beside the catalogue: which rows it should hold, and how it is brought there.

All that these commands know of the index's cursor is here.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import Connection, update

from bento_service.admin.answer import Refusal
from bento_service.admin.progress import stage
from bento_service.catalogue import Catalogue
from bento_service.catalogue.records import CollectionRecord
from bento_service.catalogue.tables import collections
from bento_service.gallery.gallery import Gallery
from bento_service.replay import Replay

_POLL_SECONDS = 0.05
_STANDSTILL_SECONDS = 900.0


@dataclass(frozen=True)
class Rows:
    """An index's rows against the catalogue's images.

    Attributes:
        held: How many rows the index has.
        missing: Ids of images that it should have and has not.
        unknown: Ids that it has and should not.
    """

    held: int
    missing: tuple[int, ...]
    unknown: tuple[int, ...]


def compared(catalogue: Catalogue, gallery: Gallery, collection: CollectionRecord) -> Rows:
    """Compare an index that is loaded; what it has yet to apply is no difference."""
    held = gallery.ids(collection.index_name)
    expected = catalogue.images.living_ids(collection.id, up_to=collection.applied)
    pending = catalogue.images.changed_ids(collection.id, after=collection.applied)
    return Rows(len(held), tuple(sorted(expected - held)), tuple(sorted(held - expected - pending)))


def is_due(collection: CollectionRecord) -> bool:
    """Whether there should be an index; before the first change is applied, none is missed."""
    return collection.applied > 0


def forget_progress(connection: Connection) -> None:
    """Let every index begin anew: at the next replay all images are sent to it again."""
    connection.execute(update(collections).values(applied=0))


def own_indexes(catalogue: Catalogue, gallery: Gallery) -> tuple[set[str], set[str]]:
    """Names of this catalogue's indexes: those that a collection has, and those left over."""
    wanted = {collection.index_name for collection in catalogue.collections.all()}
    prefix = f"lookalike_{catalogue.collections.instance_id()[:12]}_"
    own = {name for name in gallery.names() if name.startswith(prefix)}
    return own & wanted, own - wanted


def follow_to_the_end(
    catalogue: Catalogue, gallery: Gallery, *, on_purged: Callable[[set[str]], None]
) -> None:
    """Run the service's own replay until every index holds what the catalogue says.

    Args:
        catalogue: What is followed.
        gallery: What follows.
        on_purged: Told the digests of uploads whose last image may have gone.

    Raises:
        IndexUnavailable: Milvus does not answer.
        Refusal: Replay made no step for a quarter of an hour.
    """
    for collection in catalogue.collections.all():
        # Replay lists the indexes first, which fails for ever where one of Milvus Lite is torn.
        gallery.open(collection.index_name, collection.space.dimension)
    total = len(catalogue.collections.all())
    with (
        stage("index", total, "collections") as advance,
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
        advance(total - finished)


def _state(catalogue: Catalogue, replay: Replay) -> list[tuple[str, int, bool]]:
    """Of each index: its name, how far it is, and whether that is the end."""
    return [
        (one.index_name, one.applied, replay.is_open(one) and one.applied >= one.revision)
        for one in catalogue.collections.all()
    ]
