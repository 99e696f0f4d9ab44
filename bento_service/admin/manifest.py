"""The manifest of a backup. It is written last, so a backup with a manifest is complete."""

import platform
import sqlite3
from pathlib import Path
from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from bento_service.admin.answer import Refusal
from bento_service.storage.durable_files import replacing
from client_sdk import __version__

MARKER = "lookalike-backup.txt"
"""Marks a folder of backups, also before the first backup is complete."""
UPLOADS = "uploads"
_NAME = "manifest.json"


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class CatalogueCopy(_Record):
    """The copied catalogue: a file next to the manifest, named by its digest."""

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
    """The versions of the software that wrote the backup."""

    lookalike: str = __version__
    python: str = Field(default_factory=platform.python_version)
    sqlite: str = sqlite3.sqlite_version


class Manifest(_Record):
    """A complete backup.

    Attributes:
        instance: Identity of the copied catalogue.
        lost: Digests of uploads that the catalogue needs and the service has lost or damaged.
    """

    format: Literal[1] = 1
    created_at: AwareDatetime
    instance: str
    catalogue: CatalogueCopy
    uploads: UploadCopies
    lost: tuple[str, ...] = ()
    versions: Versions = Field(default_factory=Versions)


def read_manifest(folder: Path) -> Manifest:
    """Read the manifest of a backup.

    Raises:
        Refusal: It is missing because the backup was never finished, or another release wrote it.
    """
    try:
        return Manifest.model_validate_json((folder / _NAME).read_bytes())
    except FileNotFoundError as error:
        problem = "was never finished" if (folder / MARKER).exists() else "is no backup"
        raise Refusal(f"{folder} {problem}: it has no {_NAME}") from error
    except ValidationError as error:
        raise Refusal(
            f"{folder / _NAME} is invalid ({error.error_count()} errors); it is damaged, or of "
            "another release; use another backup or that release"
        ) from error


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Replace a manifest atomically and durably."""
    with replacing(folder / _NAME) as new:
        new.write_text(manifest.model_dump_json(indent=2) + "\n")
