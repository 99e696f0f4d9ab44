"""The Parquet files that `export` writes and `import` reads: one row an image.

| column | type |
|---|---|
| id | int64, the image's id in the catalogue that wrote it |
| sha256 | string, 64 hexadecimal digits |
| format, width, height, bytes | of the encoded picture |
| created_at | timestamp in UTC |
| metadata | string, a JSON object |
| sources | list of (kind, root, path); a path is bytes |
| descriptor | fixed-size list of D float32, of unit length |
| hashes | binary, the perceptual hashes; null where there are none. Older files lack it |

The descriptor space, the collection and the identity of the catalogue are in the file's own
metadata, under `lookalike`.
"""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from bento_service.admin.answer import Refusal
from bento_service.catalogue.records import DescriptorSpace

_KEY = b"lookalike"
_FORMAT = 1
HASHES = "hashes"
_SOURCE = pa.struct([("kind", pa.string()), ("root", pa.string()), ("path", pa.binary())])


def schema(space: DescriptorSpace, collection: str, catalogue_id: str) -> Any:
    """The schema of a file with descriptors of a space."""
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
            (HASHES, pa.binary()),
        ],
        metadata={_KEY: json.dumps(description)},
    )


def opened_file(path: Path) -> tuple[Any, DescriptorSpace, str]:
    """Open a file to import; return it with its descriptor space and its catalogue's identity.

    Its columns are checked. Older files do not have that identity; then it is empty.

    Raises:
        Refusal: It is none that `export` wrote.
    """
    try:
        file = pq.ParquetFile(path)
    except (OSError, pa.ArrowException) as error:
        raise Refusal(f"{path} cannot be read as Parquet: {error}") from error
    try:
        description = json.loads(file.schema_arrow.metadata[_KEY])
        space = DescriptorSpace(**description["space"])
        known = description["format"] == _FORMAT
        catalogue_id = str(description.get("catalogue", ""))
    except (KeyError, TypeError, ValueError) as error:
        raise Refusal(f"{path} does not say what its descriptors are; export it again") from error
    columns = schema(space, "", "")
    older = columns.remove(columns.get_field_index(HASHES))
    if not known or not any(file.schema_arrow.equals(one) for one in (columns, older)):
        raise Refusal(f"{path} has other columns than this release writes; export it again")
    return file, space, catalogue_id
