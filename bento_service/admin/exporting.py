"""`export`: a Parquet file of a collection's images and descriptors."""

import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from sqlalchemy import Connection, Row, Select, func, select

from bento_service.admin.answer import Answer, Refusal, shown_bytes
from bento_service.admin.data import opened_catalogue
from bento_service.admin.interchange import record_batch, schema
from bento_service.admin.progress import stage
from bento_service.catalogue.records import CollectionRecord
from bento_service.catalogue.tables import descriptors, images, miniatures, sources
from bento_service.settings import Settings
from bento_service.storage.durable_files import replacing

_ROWS_A_GROUP = 500


def export(
    settings: Settings, file: Path, *, collection: str, force: bool = False, dry_run: bool = False
) -> Answer:
    """Write the undeleted images of a collection in one snapshot, by ascending id."""
    if file.exists() and not force:
        raise Refusal(f"{file} exists already; give another name, or --force to replace it")
    with opened_catalogue(settings) as catalogue:
        chosen = catalogue.collections.named(collection)
        columns = schema(chosen.space, chosen.name, catalogue.collections.instance_id())
        with catalogue.database.reading() as connection:
            count = connection.execute(_select_images(chosen, func.count())).scalar_one()
            if not dry_run:
                _write(connection, chosen, file, count, columns)
    size = 0 if dry_run else file.stat().st_size
    verb, suffix = ("would export", "") if dry_run else ("exported", f" ({shown_bytes(size)})")
    return Answer(
        {"images": count, "bytes": size, "fingerprint": chosen.space.fingerprint},
        (f"{verb} {count} images of {collection} to {file}{suffix}",),
    )


def _write(
    connection: Connection, collection: CollectionRecord, file: Path, count: int, columns: Any
) -> None:
    with (
        replacing(file) as new,
        stage("images", count, "images") as advance,
        pq.ParquetWriter(new, columns) as writer,
    ):
        for rows in _groups(connection, collection):
            writer.write_batch(_batch(connection, rows, columns))
            advance(len(rows))


def _select_images(collection: CollectionRecord, *columns: Any) -> Select[Any]:
    return (
        select(*columns)
        .select_from(images)
        .join(descriptors, descriptors.c.image_id == images.c.id)
        .outerjoin(miniatures, miniatures.c.image_id == images.c.id)
        .where(
            images.c.collection_id == collection.id,
            descriptors.c.index_id == collection.index.id,
            ~images.c.deleted,
        )
    )


def _groups(connection: Connection, collection: CollectionRecord) -> Iterator[Sequence[Row[Any]]]:
    after = 0
    statement = (
        _select_images(collection, images, descriptors.c.descriptor, miniatures.c.pixels)
        .order_by(images.c.id)
        .limit(_ROWS_A_GROUP)
    )
    while rows := connection.execute(statement.where(images.c.id > after)).all():
        yield rows
        after = rows[-1].id


def _sources_of(
    connection: Connection, rows: Sequence[Row[Any]]
) -> dict[int, list[dict[str, object]]]:
    by_image: dict[int, list[dict[str, object]]] = {row.id: [] for row in rows}
    statement = select(sources).where(sources.c.image_id.in_(by_image)).order_by(sources.c.id)
    for source in connection.execute(statement):
        path = os.fsencode(source.path)
        by_image[source.image_id].append({"kind": source.kind, "root": source.root, "path": path})
    return by_image


def _batch(connection: Connection, rows: Sequence[Row[Any]], columns: Any) -> Any:
    by_image = _sources_of(connection, rows)
    values: dict[str, list[Any]] = {
        name: [row._mapping[name] for row in rows] for name in columns.names if name in images.c
    }
    values["metadata"] = [json.dumps(row.metadata) for row in rows]
    values["sources"] = [by_image[row.id] for row in rows]
    values["miniature"] = [row.pixels for row in rows]
    vectors = [np.frombuffer(row.descriptor, "<f4") for row in rows]
    return record_batch(columns, values, np.stack(vectors))
