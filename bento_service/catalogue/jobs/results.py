"""The results of a batch of files, committed in a few statements for any number of files."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from typing import Any

from sqlalchemy import Connection, update

from bento_service.catalogue.database import insert_or_ignore, insert_or_update
from bento_service.catalogue.images.attributes import replace_attributes
from bento_service.catalogue.images.insertion import add_images, descriptor_rows
from bento_service.catalogue.images.lookup import ids_by_digest
from bento_service.catalogue.jobs.entry_states import still_todo, write_deletions, write_states
from bento_service.catalogue.jobs.records import JobRecord, NewImage, Outcome, Reading, Settled
from bento_service.catalogue.jobs.removals import (
    remove_sources,
    replaced_sources,
    sources_to_delete,
)
from bento_service.catalogue.states import FileAction, FileState
from bento_service.catalogue.tables import descriptors, images, sources


@dataclass(frozen=True)
class Batch:
    """Files of a job whose results are committed together, one outcome for each.

    `revision` is that of the changed collection, raised for the transaction of `connection`.
    """

    connection: Connection
    job: JobRecord
    outcomes: Sequence[Outcome]
    collection_id: int
    revision: int


def settle_files(batch: Batch) -> Settled:
    """Write images, their sources and the states of the files; skip files settled before."""
    settled = Settled()
    outcomes = still_todo(batch.connection, batch.outcomes)
    for action, part in groupby(outcomes, key=lambda outcome: outcome.file.action):
        settle = _settle_deleting if action is FileAction.DELETE else _settle_added
        settled += settle(batch, list(part))
    return settled


def _settle_added(batch: Batch, outcomes: Sequence[Outcome]) -> Settled:
    connection, job, collection_id = batch.connection, batch.job, batch.collection_id
    digests = {sha256 for outcome in outcomes if (sha256 := _digest(outcome)) is not None}
    image_ids = ids_by_digest(connection, collection_id, digests)
    makers = _makers(outcomes, known=image_ids.keys())
    now = datetime.now(UTC)
    new = [
        NewImage(maker.described, {**job.metadata, **(maker.file.metadata or {})}, now)
        for maker in makers.values()
        if maker.described is not None
    ]
    image_ids |= add_images(connection, collection_id, batch.revision, new)
    states = [_state(outcome, image_ids, makers) for outcome in outcomes]
    stored = {
        outcome.file.id: sha256
        for outcome in outcomes
        if (sha256 := _digest(outcome)) is not None and sha256 in image_ids
    }
    kept = [outcome for outcome in outcomes if outcome.file.id in stored]
    _add_sources(batch, kept, image_ids)
    _replace_metadata(batch, kept, image_ids)
    read = {outcome.file.path: (stored[outcome.file.id], outcome.reading) for outcome in kept}
    replaced = replaced_sources(connection, job, collection_id, read)
    removed = remove_sources(connection, collection_id, batch.revision, replaced.changed)
    write_states(connection, outcomes, states)
    return Settled.of(states, removed=removed, other_files=len(replaced.other_files))


def _settle_deleting(batch: Batch, outcomes: Sequence[Outcome]) -> Settled:
    connection, collection_id = batch.connection, batch.collection_id
    removed, had_sources = 0, []
    for outcome in outcomes:
        source_ids = sources_to_delete(connection, batch.job, collection_id, outcome.file)
        removed += remove_sources(connection, collection_id, batch.revision, source_ids)
        had_sources.append(bool(source_ids))
    states = write_deletions(connection, outcomes, had_sources=had_sources)
    return Settled.of_removals(states, removed=removed)


def settle_reindexed(batch: Batch) -> Settled:
    """Write the new descriptors of images and the states of their files.

    Images that were deleted in the meantime count as duplicates.
    """
    outcomes = still_todo(batch.connection, batch.outcomes)
    described = [outcome.described for outcome in outcomes if outcome.described is not None]
    digests = {picture.sha256 for picture in described}
    image_ids = ids_by_digest(batch.connection, batch.collection_id, digests)
    present = [picture for picture in described if picture.sha256 in image_ids]
    rows = descriptor_rows(
        batch.connection, present, image_ids, batch.collection_id, batch.revision, reindexed=True
    )
    if rows:
        batch.connection.execute(insert_or_ignore(batch.connection, descriptors), rows)
    states = []
    for outcome in outcomes:
        state = FileState.DONE if _digest(outcome) in image_ids else FileState.DUPLICATE
        states.append(FileState.FAILED if outcome.code is not None else state)
    write_states(batch.connection, outcomes, states)
    return Settled.of(states)


def _digest(outcome: Outcome) -> str | None:
    """Return the digest of a file's bytes; `None` if it failed."""
    if outcome.code is not None:
        return None
    return outcome.known_sha256 if outcome.described is None else outcome.described.sha256


def _makers(outcomes: Sequence[Outcome], known: Iterable[str]) -> dict[str, Outcome]:
    """Return the first file of each digest that becomes a new image."""
    makers: dict[str, Outcome] = {}
    for outcome in outcomes:
        if outcome.described is not None and outcome.described.sha256 not in known:
            makers.setdefault(outcome.described.sha256, outcome)
    return makers


def _state(
    outcome: Outcome, image_ids: Mapping[str, int], makers: Mapping[str, Outcome]
) -> FileState:
    sha256 = _digest(outcome)
    if sha256 is None:
        return FileState.FAILED
    if sha256 not in image_ids:
        return FileState.TODO  # the image was deleted since the lookup: describe the file after all
    return FileState.DONE if makers.get(sha256) is outcome else FileState.DUPLICATE


def _add_sources(batch: Batch, outcomes: Sequence[Outcome], image_ids: Mapping[str, int]) -> None:
    """Record where the bytes of images were found, each place once."""
    rows = {
        (image_ids[sha256], outcome.file.path): {
            "image_id": image_ids[sha256],
            "kind": batch.job.kind,
            "root": batch.job.root,
            "path": outcome.file.path,
            "sha256": sha256,
            **_when_read(outcome.reading),
        }
        for outcome in outcomes
        if (sha256 := _digest(outcome)) is not None
    }
    if rows:
        key = ("image_id", "kind", "root", "path")
        upsert = insert_or_update(batch.connection, sources, key, tuple(_when_read(None)))
        batch.connection.execute(upsert, [*rows.values()])


def _when_read(reading: Reading | None) -> dict[str, Any]:
    """Return the columns of a source that each reading of its file writes."""
    names = ("mtime_ns", "read_ns", "volume")
    return {name: None if reading is None else getattr(reading, name) for name in names}


def _replace_metadata(
    batch: Batch, outcomes: Sequence[Outcome], image_ids: Mapping[str, int]
) -> None:
    """Give images the metadata of a manifest's lines; the last line of an image wins."""
    by_image = {
        image_ids[sha256]: {**batch.job.metadata, **outcome.file.metadata}
        for outcome in outcomes
        if outcome.file.metadata is not None and (sha256 := _digest(outcome)) is not None
    }
    for image_id, metadata in by_image.items():
        own = images.c.id == image_id
        batch.connection.execute(update(images).where(own).values(metadata=metadata))
        replace_attributes(batch.connection, batch.collection_id, image_id, metadata)
