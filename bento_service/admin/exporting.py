"""`export`: a collection's images with their descriptors, as one Parquet file."""

import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from sqlalchemy import Connection, Row, Select, func, select

from bento_service.admin.answer import Answer, Refusal, shown_bytes
from bento_service.admin.data import opened_catalogue
from bento_service.admin.interchange import HASHES, schema
from bento_service.admin.progress import stage
from bento_service.catalogue.records import CollectionRecord
from bento_service.catalogue.tables import descriptors, images, sources
from bento_service.settings import Settings

_ROWS_A_GROUP = 500


def export(
    settings: Settings, file: Path, *, collection: str, force: bool = False, dry_run: bool = False
) -> Answer:
    """Write the living images of a collection, all of one moment, by rising id.

    Raises:
        Refusal: The file is there already, and `force` does not say to replace it.
        CollectionNotFound: There is no collection of that name.
    """
    if file.exists() and not force:
        raise Refusal(f"{file} is there already; give another name, or --force to replace it")
    with opened_catalogue(settings) as catalogue:
        chosen = catalogue.collections.named(collection)
        columns = schema(chosen.space, chosen.name, catalogue.collections.instance_id())
        with catalogue.database.reading() as connection:
            count = connection.execute(_of_images(chosen, func.count())).scalar_one()
            if not dry_run:
                _write(connection, chosen, file, count, columns)
    size = 0 if dry_run else file.stat().st_size
    what = "would export" if dry_run else "exported"
    after = "" if dry_run else f" ({shown_bytes(size)})"
    return Answer(
        {"images": count, "bytes": size, "fingerprint": chosen.space.fingerprint},
        (f"{what} {count} images of {collection} to {file}{after}",),
    )


def _write(
    connection: Connection, collection: CollectionRecord, file: Path, count: int, columns: Any
) -> None:
    """Write beside the file, then put it into its place whole."""
    partial = file.with_name(f"{file.name}.partial")
    try:
        with stage("images", count, "images") as advance, partial.open("wb") as target:
            with pq.ParquetWriter(target, columns) as writer:
                for rows in _groups(connection, collection):
                    found = _sources_of(connection, rows)
                    writer.write_batch(_batch(rows, found, columns))
                    advance(len(rows))
            target.flush()
            os.fsync(target.fileno())
        partial.replace(file)
    finally:
        partial.unlink(missing_ok=True)


def _of_images(collection: CollectionRecord, *columns: Any) -> Select[Any]:
    """Of its living images, with the descriptors that searches use."""
    return (
        select(*columns)
        .select_from(images)
        .join(descriptors, descriptors.c.image_id == images.c.id)
        .where(
            images.c.collection_id == collection.id,
            descriptors.c.index_id == collection.index.id,
            ~images.c.deleted,
        )
    )


def _groups(connection: Connection, collection: CollectionRecord) -> Iterator[Sequence[Row[Any]]]:
    after = 0
    statement = (
        _of_images(collection, images, descriptors.c.descriptor)
        .order_by(images.c.id)
        .limit(_ROWS_A_GROUP)
    )
    while rows := connection.execute(statement.where(images.c.id > after)).all():
        yield rows
        after = rows[-1].id


def _sources_of(
    connection: Connection, rows: Sequence[Row[Any]]
) -> dict[int, list[dict[str, object]]]:
    found: dict[int, list[dict[str, object]]] = {row.id: [] for row in rows}
    statement = select(sources).where(sources.c.image_id.in_(found)).order_by(sources.c.id)
    for source in connection.execute(statement):
        path = os.fsencode(source.path)
        found[source.image_id].append({"kind": source.kind, "root": source.root, "path": path})
    return found


def _batch(
    rows: Sequence[Row[Any]], found: dict[int, list[dict[str, object]]], columns: Any
) -> Any:
    plain = ("id", "sha256", "format", "width", "height", "bytes", "created_at")
    arrays = [
        pa.array([getattr(row, name) for row in rows], columns.field(name).type) for name in plain
    ]
    arrays.append(pa.array([json.dumps(row.metadata) for row in rows], pa.string()))
    arrays.append(pa.array([found[row.id] for row in rows], columns.field("sources").type))
    values = np.concatenate([np.frombuffer(row.descriptor, "<f4") for row in rows])
    length = columns.field("descriptor").type.list_size
    arrays.append(pa.FixedSizeListArray.from_arrays(pa.array(values), length))
    arrays.append(pa.array([row.hashes for row in rows], columns.field(HASHES).type))
    return pa.record_batch(arrays, schema=columns)
