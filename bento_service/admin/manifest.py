"""The manifest of a backup: written last, so that where it is, the backup is whole."""

import json
import os
import platform
import sqlite3
from pathlib import Path
from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from bento_service.admin.answer import Refusal
from client_sdk import __version__

MARKER = "lookalike-backup.txt"
"""Tells a folder of backups from any other, also when none is whole yet."""
UPLOADS = "uploads"
_NAME = "manifest.json"


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class CatalogueCopy(_Record):
    """The copied catalogue: a file beside the manifest, named by its own digest."""

    file: str = Field(pattern=r"^catalogue-[0-9a-f]{16}\.db$")
    bytes: int
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    revision: str


class UploadCopies(_Record):
    """The copied uploads; `sha256` is the digest of their sorted names, a line each."""

    count: int
    bytes: int
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")


class Versions(_Record):
    """What wrote the backup."""

    lookalike: str = __version__
    python: str = Field(default_factory=platform.python_version)
    sqlite: str = sqlite3.sqlite_version


class Manifest(_Record):
    """A whole backup.

    Attributes:
        instance: The catalogue that it is a copy of.
        lost: Digests of uploads that the catalogue names and the service has lost or damaged.
    """

    format: Literal[1] = 1
    created_at: AwareDatetime
    instance: str
    catalogue: CatalogueCopy
    uploads: UploadCopies
    lost: tuple[str, ...] = ()
    versions: Versions = Field(default_factory=Versions)


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a backup.

    Raises:
        Refusal: There is none, so the backup was never finished, or another release wrote it.
    """
    try:
        return Manifest.model_validate_json((folder / _NAME).read_bytes())
    except FileNotFoundError as error:
        what = "was never finished" if (folder / MARKER).exists() else "is no backup"
        raise Refusal(f"{folder} {what}: it has no {_NAME}") from error
    except ValidationError as error:
        raise Refusal(
            f"{folder / _NAME} cannot be understood ({error.error_count()} errors); it is damaged, "
            "or of another release"
        ) from error


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Put a manifest into its place in one step that outlives a power cut."""
    text = json.dumps(manifest.model_dump(mode="json"), indent=2) + "\n"
    unfinished = folder / f"{_NAME}.partial"
    with unfinished.open("w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(folder / _NAME)
    sync_folder(folder)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder outlive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
