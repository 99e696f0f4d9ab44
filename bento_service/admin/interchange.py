"""The Parquet format of `export` and `import`: one row an image.

| column | type |
|---|---|
| id | int64, the image's id in the catalogue that wrote it |
| sha256 | string, 64 hexadecimal digits |
| format, width, height, bytes | of the encoded picture |
| created_at | timestamp in UTC |
| metadata | string, a JSON object |
| sources | list of (kind, root, path); a path is bytes |
| descriptor | fixed-size list of D float32, of unit length |
| hashes | binary, the perceptual hashes, or null. Older files lack the column |
| miniature | binary, the miniature, or null. Older files lack the column |

The descriptor space, the collection and the identity of the catalogue are in the file's own
metadata, under `lookalike`.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from bento_service.admin.answer import Refusal
from bento_service.admin.manifests import ShardsManifest
from bento_service.catalogue.records import DescriptorSpace

_KEY = b"lookalike"
_FORMAT = 1
_SOURCE = pa.struct([("kind", pa.string()), ("root", pa.string()), ("path", pa.binary())])


def schema(space: DescriptorSpace, collection: str, catalogue_id: str) -> Any:
    """Return the schema of a file with descriptors of a space."""
    description = {
        "format": _FORMAT,
        "collection": collection,
        "space": asdict(space),
        "catalogue": catalogue_id,
    }
    return pa.schema(
        [
            ("id", pa.int64()),
            ("sha256", pa.string()),
            ("format", pa.string()),
            ("width", pa.int32()),
            ("height", pa.int32()),
            ("bytes", pa.int64()),
            ("created_at", pa.timestamp("us", tz="UTC")),
            ("metadata", pa.string()),
            ("sources", pa.list_(_SOURCE)),
            ("descriptor", pa.list_(pa.float32(), space.dimension)),
            ("hashes", pa.binary()),
            ("miniature", pa.binary()),
        ],
        metadata={_KEY: json.dumps(description)},
    )


def record_batch(
    columns: Any, values: Mapping[str, Sequence[object]], descriptors: NDArray[np.float32]
) -> Any:
    """Return rows of a schema with these values by column and descriptors (N, D)."""
    vectors = pa.array(descriptors.reshape(-1), pa.float32())
    arrays = [
        pa.FixedSizeListArray.from_arrays(vectors, field.type.list_size)
        if field.name == "descriptor"
        else pa.array(values[field.name], field.type)
        for field in columns
    ]
    return pa.record_batch(arrays, schema=columns)


@dataclass(frozen=True)
class ImageFile:
    """A Parquet file with images to import.

    `origin` is the identity of the catalogue that wrote it; empty if no catalogue did.
    """

    path: Path
    rows: int
    space: DescriptorSpace
    origin: str

    def opened(self) -> Any:
        """Open the file; close it with `with`."""
        return pq.ParquetFile(self.path)


def image_files(path: Path) -> list[ImageFile]:
    """Return a file, or all files of a folder, after checking their columns and numbers of rows."""
    if not path.is_dir():
        return [_image_file(path)]
    manifest = ShardsManifest.read(path)
    files = []
    for shard in manifest.shards:
        file = _image_file(path / shard.file)
        if file.rows != shard.rows or file.space.fingerprint != manifest.fingerprint:
            raise Refusal(
                f"{file.path} has {file.rows} rows of {file.space.fingerprint[:12]}, the manifest "
                f"says {shard.rows} of {manifest.fingerprint[:12]}; write the folder again"
            )
        files.append(file)
    if not files:
        raise Refusal(f"{path} has no images")
    return files


def _image_file(path: Path) -> ImageFile:
    """Read the description of a file to import and check its columns."""
    try:
        with pq.ParquetFile(path) as file:
            columns, rows = file.schema_arrow, file.metadata.num_rows
    except (OSError, pa.ArrowException) as error:
        raise Refusal(f"{path} cannot be read as Parquet: {error}") from error
    try:
        description = json.loads(columns.metadata[_KEY])
        space = DescriptorSpace(**description["space"])
        known = description["format"] == _FORMAT
        origin = str(description.get("catalogue", ""))
    except (KeyError, TypeError, ValueError) as error:
        raise Refusal(f"{path} does not say what its descriptors are; export it again") from error
    if not known or not any(columns.equals(each) for each in _readable(space)):
        raise Refusal(f"{path} has other columns than this release writes; export it again")
    return ImageFile(path, rows, space, origin)


def _readable(space: DescriptorSpace) -> list[Any]:
    """Return the schemas of this release and of older ones."""
    current = schema(space, "", "")
    without_miniatures = current.remove(current.get_field_index("miniature"))
    without_hashes = without_miniatures.remove(current.get_field_index("hashes"))
    return [current, without_miniatures, without_hashes]
