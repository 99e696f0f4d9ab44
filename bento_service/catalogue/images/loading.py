"""Loading of many described images with the places of their bytes."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, select

from bento_service.catalogue.copying import insert_many
from bento_service.catalogue.database import insert_or_ignore, rows_in
from bento_service.catalogue.images.insertion import add_images
from bento_service.catalogue.images.lookup import ids_by_digest
from bento_service.catalogue.indexes import indexes_of
from bento_service.catalogue.jobs.records import NewImage
from bento_service.catalogue.records import CollectionRecord, SourceRecord
from bento_service.catalogue.revisions import next_revision
from bento_service.catalogue.roots import reserve
from bento_service.catalogue.tables import sources
from bento_service.errors import Conflict


def load_images(
    connection: Connection, collection: CollectionRecord, loaded: Sequence[NewImage]
) -> int:
    """Add images to a collection, in a writing transaction; return how many were new.

    The descriptors are those of the collection's index. Images that the collection has, and images
    that are repeated, only get the sources that they lack. The ids of new images rise in their
    order. Raise `Conflict` if the collection has a second index, which would lack the images.
    """
    revision = next_revision(connection, collection.id)
    _refuse_second_index(connection, collection)
    known = ids_by_digest(connection, collection.id, {each.sha256 for each in loaded})
    new: dict[str, NewImage] = {}
    for each in loaded:
        if each.sha256 not in known:
            new.setdefault(each.sha256, each)
    added = add_images(connection, collection.id, revision, [*new.values()])
    reserve(connection, {source.root for each in loaded for source in each.sources} - {""})
    _insert_sources(connection, loaded, known, added)
    return len(new)


def unsettled(
    connection: Connection,
    collection_id: int,
    wanted: Sequence[tuple[str, tuple[SourceRecord, ...]]],
) -> list[int]:
    """Return the positions of those images that a collection lacks, or has without a source.

    Each image is given by its digest and its sources.
    """
    ids = ids_by_digest(connection, collection_id, {sha256 for sha256, _ in wanted})
    present = {
        (row.image_id, row.kind, row.root, row.path)
        for row in rows_in(connection, select(sources), sources.c.image_id, ids.values())
    }
    return [
        position
        for position, (sha256, places) in enumerate(wanted)
        if sha256 not in ids
        or any((ids[sha256], each.kind, each.root, each.path) not in present for each in places)
    ]


def _refuse_second_index(connection: Connection, collection: CollectionRecord) -> None:
    """Raise `Conflict` if a reindex has begun; a reindex locks the collection as loading does."""
    if len(indexes_of(connection, collection.id)) > 1:
        name = collection.name
        raise Conflict(
            f"a reindex of collection {name!r} has begun, and the images have only one descriptor "
            "each; wait for the reindex, drop the former descriptors with DELETE "
            f"/api/v2/collections/{name}/reindex, then import again"
        )


def _insert_sources(
    connection: Connection,
    loaded: Sequence[NewImage],
    known: dict[str, int],
    added: dict[str, int],
) -> None:
    """Write the sources of images; those of known images may be there already."""
    fresh: dict[tuple[int, SourceRecord], dict[str, Any]] = {}
    possible: dict[tuple[int, SourceRecord], dict[str, Any]] = {}
    for each in loaded:
        image_id = added.get(each.sha256) or known[each.sha256]
        rows = fresh if each.sha256 in added else possible
        for source in each.sources:
            row = {"image_id": image_id, **vars(source), "sha256": each.sha256}
            rows[image_id, source] = row
    insert_many(connection, sources, [*fresh.values()])
    if possible:
        connection.execute(insert_or_ignore(connection, sources), [*possible.values()])
