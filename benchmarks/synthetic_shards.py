"""Shards with synthetic descriptors, such as a bulk run writes, for benchmarks.

The descriptors lie in clusters, since those of photographs do. Digests and miniatures are random,
so that neither a database's index nor its compression gains from their order.
"""

from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.descriptors import Matrix, blocks
from bento_service.admin.interchange import schema
from bento_service.admin.manifests import Shard, ShardsManifest
from bento_service.catalogue.records import DescriptorSpace

_DIMENSION = 1024
SPACE = DescriptorSpace("synthetic", "none", "5" * 64, _DIMENSION, "fp32")
_TAGS = 100
"""The number of values of the images' only piece of metadata, `tag`."""
_SEEDS, _CHANNELS_SET = 400, 0.3
_MINIATURE, _HASHES = 4096, 64


def write_shards(folder: Path, count: int) -> None:
    """Write images with clustered descriptors as a bulk run does."""
    folder.mkdir(parents=True, exist_ok=True)
    chance = np.random.default_rng(1)
    seeds = np.abs(chance.standard_normal((_SEEDS, _DIMENSION), np.float32))
    seeds *= chance.random(seeds.shape) < _CHANNELS_SET  # most channels of a picture are silent
    seeds /= np.linalg.norm(seeds, axis=1, keepdims=True)
    columns, first = schema(SPACE, "", ""), 0
    shards: list[Shard] = []
    for vectors in blocks(seeds, count, seed=2):
        name = f"shard-{len(shards):06d}.parquet"
        table = pa.Table.from_arrays(_arrays(columns, vectors, first), schema=columns)
        pq.write_table(table, folder / name, use_dictionary=False)
        shards.append(Shard(file=name, rows=len(vectors)))
        first += len(vectors)
    ShardsManifest(fingerprint=SPACE.fingerprint, shards=tuple(shards)).write(folder)


def _arrays(columns: Any, vectors: Matrix, first: int) -> list[Any]:
    numbers = range(first, first + len(vectors))
    chance = np.random.default_rng((3, first))
    values: dict[str, Any] = {
        "id": [None] * len(vectors),
        "sha256": [sha256(b"%d" % number).hexdigest() for number in numbers],
        "format": ["JPEG"] * len(vectors),
        "width": [640] * len(vectors),
        "height": [480] * len(vectors),
        "bytes": [100_000] * len(vectors),
        "created_at": [datetime.now(UTC)] * len(vectors),
        "metadata": [f'{{"tag": {number % _TAGS}}}' for number in numbers],
        "sources": [
            [{"kind": "file", "root": "photos", "path": b"%d/%d.jpg" % (number // 1000, number)}]
            for number in numbers
        ],
        "hashes": [chance.bytes(_HASHES) for _ in numbers],
        "miniature": [chance.bytes(_MINIATURE) for _ in numbers],
    }
    flat = pa.array(vectors.reshape(-1), pa.float32())
    return [
        pa.FixedSizeListArray.from_arrays(flat, _DIMENSION)
        if field.name == "descriptor"
        else pa.array(values[field.name], field.type)
        for field in columns
    ]
