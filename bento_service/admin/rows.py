"""Checked rows of a file to import; nothing in the file is trusted."""

import os
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bento_service.admin.answer import Refusal
from bento_service.catalogue.jobs.records import Described, NewImage
from bento_service.catalogue.records import SourceRecord
from bento_service.catalogue.states import SourceKind
from bento_service.errors import InvalidArgument
from bento_service.filters.values import MAX_KEY, check_metadata
from bento_service.pictures import miniature, perceptual_hash
from bento_service.storage.digests import is_digest
from bento_service.strict_json import JsonError, read_json

UNIT_TOLERANCE = 1e-3
"""The most that the length of a stored descriptor differs from 1."""

ROWS_A_BATCH = 2000
"""Rows that are written in one transaction."""
_LONGEST_FORMAT = 16
_LONGEST_ROOT = 256
_KINDS = (SourceKind.FILE, SourceKind.UPLOAD)
_BAD_VALUES = (ValueError, TypeError, AttributeError, KeyError)


Places = tuple[SourceRecord, ...]
"""The sources of an image."""


def checked_rows(file: Any, fingerprint: str) -> Iterator[list[NewImage]]:
    """Yield the checked images of an opened Parquet file with descriptors of a fingerprint."""
    number = 0
    for batch in file.iter_batches(batch_size=ROWS_A_BATCH):
        dimension = batch.schema.field("descriptor").type.list_size
        column = batch.column("descriptor")
        rows = batch.drop_columns(["descriptor"]).to_pylist()
        if column.null_count or column.flatten().null_count:
            raise Refusal(f"a descriptor among the rows from {number} on has no value")
        # Copied, because the array is valid only as long as the batch.
        descriptors = np.array(column.flatten(), dtype=np.float32).reshape(-1, dimension)
        with np.errstate(over="ignore", invalid="ignore"):
            are_unit = np.abs(np.linalg.norm(descriptors, axis=1) - 1) < UNIT_TOLERANCE
        images = []
        for row, descriptor, is_unit in zip(rows, descriptors, are_unit, strict=True):
            try:
                if not is_unit:
                    raise ValueError("its descriptor is not of unit length")
                images.append(_image(row, {fingerprint: descriptor}))
            except (*_BAD_VALUES, InvalidArgument) as error:
                raise Refusal(f"row {number} cannot be imported: {error}") from error
            number += 1
        yield images


def rows_of_sources(file: Any) -> Iterator[list[tuple[str, Places]]]:
    """Yield the digests and sources of an opened Parquet file in batches, and nothing else."""
    columns = ["sha256", "sources"]
    for batch in file.iter_batches(batch_size=ROWS_A_BATCH, columns=columns):
        try:
            rows = batch.to_pylist()
            yield [(row["sha256"], tuple(map(_source, row["sources"]))) for row in rows]
        except _BAD_VALUES as error:
            raise Refusal(f"a source cannot be imported: {error}") from error


def _image(row: dict[str, Any], descriptors: dict[str, NDArray[np.float32]]) -> NewImage:
    if not is_digest(row["sha256"]):
        raise ValueError(f"sha256 is {row['sha256'][:80]!r}")
    for name in ("width", "height", "bytes"):
        if not row[name] > 0:
            raise ValueError(f"{name} is {row[name]}")
    if not 0 < len(row["format"]) <= _LONGEST_FORMAT:
        raise ValueError(f"format is {row['format'][:80]!r}")
    perceptual_hash.restored(row.get("hashes"))
    if row.get("miniature") is not None:
        miniature.restored(row["miniature"])
    metadata = _metadata(row["metadata"])
    if not isinstance(row["created_at"], datetime):
        raise TypeError("created_at is no timestamp")
    del row["id"], row["metadata"]
    sources, created_at = tuple(map(_source, row.pop("sources"))), row.pop("created_at")
    described = Described(**row, descriptors=descriptors)
    return NewImage(described, metadata, created_at, sources)


def _metadata(text: str) -> dict[str, Any]:
    try:
        metadata = read_json(text)
    except JsonError as error:
        raise ValueError(f"its metadata {error}") from error
    if not isinstance(metadata, dict):
        raise TypeError("its metadata is no JSON object")
    if len(text) > MAX_KEY:  # a shorter text exceeds none of the limits
        check_metadata(metadata)
    return metadata


def _source(source: dict[str, Any]) -> SourceRecord:
    kind = SourceKind(source["kind"])
    if kind not in _KINDS or len(source["root"]) > _LONGEST_ROOT or b"\0" in source["path"]:
        raise ValueError(f"source {source['kind']} {source['root'][:80]!r} is invalid")
    return SourceRecord(kind, source["root"], os.fsdecode(source["path"]))
