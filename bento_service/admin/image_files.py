"""Images to import: one Parquet file, or a folder of them with a manifest.

The manifest is written last, so a folder that has one is complete.
"""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bento_service.admin.answer import Refusal
from bento_service.admin.interchange import ImageFile, image_file
from bento_service.storage.durable_files import replacing

MANIFEST = "manifest.json"


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Shard(_Record):
    """One Parquet file of a folder, and its number of rows."""

    file: str = Field(pattern=r"^[A-Za-z0-9_-]+\.parquet$")
    rows: int = Field(ge=0)


class FolderManifest(_Record):
    """The manifest of a folder.

    Attributes:
        fingerprint: The fingerprint of the descriptors.
        shards: The files, in the order of their import.
        broken: The number of files that could not be described.
    """

    format: Literal[1] = 1
    fingerprint: str
    shards: tuple[Shard, ...]
    broken: int = 0


def image_files(path: Path) -> list[ImageFile]:
    """Return a file, or all files of a folder, after checking their columns and numbers of rows.

    Raises:
        Refusal: A file is missing, damaged or another one than the manifest names.
    """
    if not path.is_dir():
        return [image_file(path)]
    manifest = read_folder_manifest(path)
    files = []
    for shard in manifest.shards:
        file = image_file(path / shard.file)
        if file.rows != shard.rows or file.space.fingerprint != manifest.fingerprint:
            raise Refusal(
                f"{file.path} has {file.rows} rows of {file.space.fingerprint[:12]}, the manifest "
                f"says {shard.rows} of {manifest.fingerprint[:12]}; write the folder again"
            )
        files.append(file)
    if not files:
        raise Refusal(f"{path} has no images")
    return files


def read_folder_manifest(folder: Path) -> FolderManifest:
    """Read the manifest of a folder.

    Raises:
        Refusal: It is missing or invalid.
    """
    try:
        return FolderManifest.model_validate_json((folder / MANIFEST).read_bytes())
    except FileNotFoundError as error:
        raise Refusal(
            f"{folder} has no {MANIFEST}; it is written last, so continue the bulk run"
        ) from error
    except ValidationError as error:
        raise Refusal(
            f"{folder / MANIFEST} is invalid ({error.error_count()} errors); write the folder again"
        ) from error


def write_folder_manifest(folder: Path, manifest: FolderManifest) -> None:
    """Write the manifest of a folder atomically and durably."""
    with replacing(folder / MANIFEST) as new:
        new.write_text(manifest.model_dump_json(indent=2) + "\n")
