"""What became of some files of a job, written in a few statements however many files there are."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import groupby
from typing import Any

from sqlalchemy import Connection, insert, select, update

from bento_service.catalogue.database import insert_or_ignore, insert_or_update
from bento_service.catalogue.images.attributes import add_attributes, replace_attributes
from bento_service.catalogue.indexes import indexes_of
from bento_service.catalogue.jobs.entry_states import no_such_image, still_todo, write_states
from bento_service.catalogue.jobs.records import (
    Described,
    JobRecord,
    NewImage,
    Outcome,
    Reading,
    Settled,
)
from bento_service.catalogue.jobs.removals import meant, remove_sources, replaced
from bento_service.catalogue.tables import (
    FileAction,
    FileState,
    descriptors,
    images,
    sources,
)
from bento_service.errors import Conflict


def settle_files(
    connection: Connection,
    job: JobRecord,
    outcomes: Sequence[Outcome],
    *,
    collection_id: int,
    revision: int,
) -> Settled:
    """Write images, their sources and the states of the files; settled files are left alone.

    Args:
        connection: In a writing transaction.
        job: Whose files.
        outcomes: One a file.
        collection_id: Where new images go.
        revision: Of the collection, raised for this transaction.

    Raises:
        Conflict: The collection serves a descriptor version that was not computed.
    """
    outcomes = still_todo(connection, outcomes)
    where = {"collection_id": collection_id, "revision": revision}
    settled = Settled(0, 0, 0)
    for action, part in groupby(outcomes, key=lambda outcome: outcome.file.action):
        settle = _settle_deleting if action is FileAction.DELETE else _settle_added
        settled += settle(connection, job, list(part), **where)
    return settled


def _settle_added(
    connection: Connection,
    job: JobRecord,
    outcomes: Sequence[Outcome],
    *,
    collection_id: int,
    revision: int,
) -> Settled:
    digests = {sha256 for outcome in outcomes if (sha256 := _digest(outcome)) is not None}
    held = holders(connection, collection_id, digests)
    makers = _makers(outcomes, known=held.keys())
    now = datetime.now(UTC)
    images_to_be = [
        NewImage(maker.described, {**job.metadata, **(maker.file.metadata or {})}, now)
        for maker in makers.values()
        if maker.described is not None
    ]
    held |= add_images(connection, collection_id, revision, images_to_be)
    states = [_state(outcome, held, makers) for outcome in outcomes]
    _add_sources(connection, job, outcomes, held)
    _replace_metadata(connection, job, outcomes, held, collection_id)
    read = {
        one.file.path: (sha256, one.reading)
        for one in outcomes
        if (sha256 := _digest(one)) is not None and sha256 in held
    }
    found = replaced(connection, job, collection_id, read)
    removed = remove_sources(connection, collection_id, revision, found.changed)
    write_states(connection, outcomes, states)
    return Settled.of(states, removed=removed, other_files=len(found.other_files))


def _settle_deleting(
    connection: Connection,
    job: JobRecord,
    outcomes: Sequence[Outcome],
    *,
    collection_id: int,
    revision: int,
) -> Settled:
    removed, settled = 0, []
    for outcome in outcomes:
        doomed = meant(connection, job, collection_id, outcome.file)
        removed += remove_sources(connection, collection_id, revision, doomed)
        settled.append(outcome if doomed else no_such_image(outcome))
    states = [FileState.FAILED if one.code else FileState.DONE for one in settled]
    write_states(connection, settled, states)
    return Settled.of_removals(states, removed=removed)


def settle_reindexed(
    connection: Connection, outcomes: Sequence[Outcome], *, collection_id: int, revision: int
) -> Settled:
    """Write the descriptors of images that were described anew, and the states of their files.

    Images that were deleted in the meantime are left out.

    Args:
        connection: In a writing transaction.
        outcomes: One an image.
        collection_id: Whose images.
        revision: Of the collection, raised for this transaction.
    """
    outcomes = still_todo(connection, outcomes)
    described = [outcome.described for outcome in outcomes if outcome.described is not None]
    held = holders(connection, collection_id, {one.sha256 for one in described})
    living = [one for one in described if one.sha256 in held]
    _add_descriptors(connection, living, held, collection_id, revision, anew=True)
    states = [_state_anew(outcome, held) for outcome in outcomes]
    write_states(connection, outcomes, states)
    return Settled.of(states)


def _state_anew(outcome: Outcome, held: Mapping[str, int]) -> FileState:
    if outcome.code is not None:
        return FileState.FAILED
    return FileState.DONE if _digest(outcome) in held else FileState.DUPLICATE


def _digest(outcome: Outcome) -> str | None:
    """Of the file's bytes; `None` where it failed."""
    if outcome.code is not None:
        return None
    return outcome.known_sha256 if outcome.described is None else outcome.described.sha256


def holders(connection: Connection, collection_id: int, digests: Iterable[str]) -> dict[str, int]:
    """The living images of a collection with these bytes, by digest."""
    statement = select(images.c.sha256, images.c.id).where(
        images.c.collection_id == collection_id,
        images.c.sha256.in_(sorted(digests)),
        ~images.c.deleted,
    )
    return {row.sha256: row.id for row in connection.execute(statement)}


def _makers(outcomes: Sequence[Outcome], known: Iterable[str]) -> dict[str, Outcome]:
    """By digest, the first file of those whose bytes become a new image."""
    makers: dict[str, Outcome] = {}
    for outcome in outcomes:
        if outcome.described is not None and outcome.described.sha256 not in known:
            makers.setdefault(outcome.described.sha256, outcome)
    return makers


def _state(outcome: Outcome, held: Mapping[str, int], makers: Mapping[str, Outcome]) -> FileState:
    sha256 = _digest(outcome)
    if sha256 is None:
        return FileState.FAILED
    if sha256 not in held:
        return FileState.TODO  # deleted since it was looked up: to be described after all
    return FileState.DONE if makers.get(sha256) is outcome else FileState.DUPLICATE


def add_images(
    connection: Connection, collection_id: int, revision: int, new: Sequence[NewImage]
) -> dict[str, int]:
    """Write new images with their attributes and descriptors; their ids by digest.

    Args:
        connection: In a writing transaction.
        collection_id: Where they go; it holds none of their digests.
        revision: Of the collection, raised for this transaction.
        new: The images; they are numbered in this order, which is that of equal scores.

    Raises:
        Conflict: The collection serves a descriptor version that they lack.
    """
    if not new:
        return {}
    rows = connection.execute(
        insert(images).returning(images.c.sha256, images.c.id),
        [_row(collection_id, one) for one in new],
    )
    added = {row.sha256: row.id for row in rows}
    metadata = {added[one.described.sha256]: one.metadata for one in new}
    add_attributes(connection, collection_id, metadata)
    _add_descriptors(connection, [one.described for one in new], added, collection_id, revision)
    return added


def _row(collection_id: int, new: NewImage) -> dict[str, Any]:
    return {
        "collection_id": collection_id,
        "sha256": new.described.sha256,
        "format": new.described.format,
        "width": new.described.width,
        "height": new.described.height,
        "bytes": new.described.bytes,
        "metadata": new.metadata,
        "created_at": new.created_at,
        "hashes": new.described.hashes,
    }


def _add_descriptors(
    connection: Connection,
    described: Sequence[Described],
    held: Mapping[str, int],
    collection_id: int,
    revision: int,
    *,
    anew: bool = False,
) -> None:
    """Write the images' descriptors for every index of the collection whose version they have."""
    rows = []
    for index in indexes_of(connection, collection_id) if described else ():
        version = index.space.fingerprint
        if index.serves and not anew and any(version not in one.descriptors for one in described):
            raise Conflict(
                f"collection {index.collection!r} now holds {index.space.descriptor} in "
                f"{index.space.precision}, which this service does not compute"
            )
        rows += [
            {
                "image_id": held[one.sha256],
                "index_id": index.id,
                "revision": revision,
                "descriptor": one.descriptors[version].astype("<f4").tobytes(),
            }
            for one in described
            if version in one.descriptors
        ]
    if rows:
        connection.execute(insert_or_ignore(connection, descriptors), rows)


def _add_sources(
    connection: Connection, job: JobRecord, outcomes: Sequence[Outcome], held: Mapping[str, int]
) -> None:
    """Record where the bytes of images were found, each place once."""
    found = {
        (held[sha256], outcome.file.path): {
            "image_id": held[sha256],
            "kind": job.kind,
            "root": job.root,
            "path": outcome.file.path,
            "sha256": sha256,
            **_when_read(outcome.reading),
        }
        for outcome in outcomes
        if (sha256 := _digest(outcome)) is not None and sha256 in held
    }
    if found:
        place = ("image_id", "kind", "root", "path")
        connection.execute(
            insert_or_update(connection, sources, place, tuple(_when_read(None))),
            [*found.values()],
        )


def _when_read(reading: Reading | None) -> dict[str, Any]:
    """Return the columns of a source that each reading of its file writes."""
    if reading is None:
        return dict.fromkeys(("mtime_ns", "read_ns", "volume"))
    return {
        "mtime_ns": reading.mtime_ns,
        "read_ns": reading.read_ns,
        "volume": reading.volume,
    }


def _replace_metadata(
    connection: Connection,
    job: JobRecord,
    outcomes: Sequence[Outcome],
    held: Mapping[str, int],
    collection_id: int,
) -> None:
    """Give images the metadata that a manifest says; what it says last counts."""
    said = {
        held[sha256]: {**job.metadata, **outcome.file.metadata}
        for outcome in outcomes
        if outcome.file.metadata is not None
        and (sha256 := _digest(outcome)) is not None
        and sha256 in held
    }
    for image_id, metadata in said.items():
        is_it = images.c.id == image_id
        connection.execute(update(images).where(is_it).values(metadata=metadata))
        replace_attributes(connection, collection_id, image_id, metadata)
