"""Checked rows of a file to import; nothing in the file is trusted."""

import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bento_service.admin.answer import Refusal
from bento_service.catalogue.records import SourceRecord, StoredHashes
from bento_service.catalogue.tables import SourceKind
from bento_service.errors import InvalidArgument
from bento_service.filters.values import check_metadata
from bento_service.pictures.perceptual_hash import restored

_DIGEST = re.compile(r"[0-9a-f]{64}")
_UNIT_TOLERANCE = 1e-3
_ROWS_A_BATCH = 500
_LONGEST_FORMAT = 16
_LONGEST_ROOT = 256
_KINDS = (SourceKind.FILE, SourceKind.UPLOAD)
_BAD_VALUES = (ValueError, TypeError, AttributeError, KeyError)


@dataclass(frozen=True)
class ImportedImage:
    """An image of a file to import.

    Attributes:
        descriptor: (D,) float32, of unit length.
        hashes: `None` if they are not computed yet.
    """

    sha256: str
    format: str
    width: int
    height: int
    bytes: int
    created_at: datetime
    metadata: dict[str, Any]
    sources: tuple[SourceRecord, ...]
    descriptor: NDArray[np.float32]
    hashes: StoredHashes | None = None


def checked_rows(file: Any) -> Iterator[list[ImportedImage]]:
    """Yield the images of an opened Parquet file in batches.

    Raises:
        Refusal: A row has an invalid value.
    """
    number = 0
    for batch in file.iter_batches(batch_size=_ROWS_A_BATCH):
        dimension = batch.schema.field("descriptor").type.list_size
        column = batch.column("descriptor")
        rows = batch.drop_columns(["descriptor"]).to_pylist()
        if column.null_count or column.flatten().null_count:
            raise Refusal(f"a descriptor among the rows from {number} on has no value")
        # Copied, because the array is valid only as long as the batch.
        descriptors = np.array(column.flatten(), dtype=np.float32).reshape(-1, dimension)
        images = []
        for row, descriptor in zip(rows, descriptors, strict=True):
            try:
                images.append(_image(row, descriptor))
            except (*_BAD_VALUES, InvalidArgument) as error:
                raise Refusal(f"row {number} cannot be imported: {error}") from error
            number += 1
        yield images


def _image(row: dict[str, Any], descriptor: NDArray[np.float32]) -> ImportedImage:
    if not _DIGEST.fullmatch(row["sha256"]):
        raise ValueError(f"sha256 is {row['sha256'][:80]!r}")
    for name in ("width", "height", "bytes"):
        if not row[name] > 0:
            raise ValueError(f"{name} is {row[name]}")
    if not 0 < len(row["format"]) <= _LONGEST_FORMAT:
        raise ValueError(f"format is {row['format'][:80]!r}")
    if not abs(float(np.linalg.norm(descriptor)) - 1) < _UNIT_TOLERANCE:
        raise ValueError("its descriptor is not of unit length")
    restored(row.get("hashes"))
    metadata = json.loads(row["metadata"])
    if not isinstance(metadata, dict) or not isinstance(row["created_at"], datetime):
        raise TypeError("its metadata is no JSON object, or created_at is no timestamp")
    check_metadata(metadata)
    del row["id"], row["metadata"]
    sources = tuple(map(_source, row.pop("sources")))
    return ImportedImage(**row, metadata=metadata, sources=sources, descriptor=descriptor)


def _source(source: dict[str, Any]) -> SourceRecord:
    kind = SourceKind(source["kind"])
    if kind not in _KINDS or len(source["root"]) > _LONGEST_ROOT or b"\0" in source["path"]:
        raise ValueError(f"source {source['kind']} {source['root'][:80]!r} is invalid")
    return SourceRecord(kind, source["root"], os.fsdecode(source["path"]))
