"""The revision of a collection, which counts the transactions that changed its images.

Transactions that change a collection and its jobs lock the collection first, so that no two of them
wait for each other.
"""

from datetime import UTC, datetime

from sqlalchemy import Connection, select, update

from bento_service.catalogue.tables import collections
from bento_service.errors import CollectionNotFound


def next_revision(connection: Connection, collection_id: int) -> int:
    """Raise a collection's revision; locks it against other writers until the transaction ends.

    Raise `CollectionNotFound` if the collection was deleted in the meantime.
    """
    raised = connection.execute(
        update(collections)
        .where(collections.c.id == collection_id)
        .values(revision=collections.c.revision + 1, changed_at=datetime.now(UTC))
        .returning(collections.c.revision)
    ).scalar()
    if raised is None:
        raise CollectionNotFound("the collection was deleted; create it again")
    return int(raised)


def lock_collection(connection: Connection, collection_id: int | None) -> None:
    """Lock a collection against other writers until the transaction ends; skip a deleted one."""
    own = collections.c.id == collection_id
    connection.execute(select(collections.c.id).where(own).with_for_update())
