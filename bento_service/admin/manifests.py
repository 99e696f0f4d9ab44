"""Manifests of folders. Each is written last, so a folder that has one is complete."""

import platform
import sqlite3
from pathlib import Path
from typing import ClassVar, Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from bento_service.admin.answer import Refusal
from bento_service.storage.digests import Digest
from bento_service.storage.durable_files import replacing
from client_sdk import __version__

MANIFEST = "manifest.json"
MARKER = "lookalike-backup.txt"
"""Marks a folder of backups, also before the first backup is complete."""
UPLOADS = "uploads"


class Record(BaseModel):
    """A frozen part of a file that is read only if it has exactly these fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Manifest(Record):
    """The manifest of a folder; `content` says what the folder is."""

    content: ClassVar[str]
    format: Literal[1] = 1

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read the manifest of a folder."""
        file = folder / MANIFEST
        try:
            return cls.model_validate_json(file.read_bytes())
        except FileNotFoundError as error:
            raise Refusal(
                f"{folder} is no {cls.content}, or an unfinished one: it has no {MANIFEST}, which "
                "is written last"
            ) from error
        except ValidationError as error:
            raise Refusal(
                f"{file} is invalid ({error.error_count()} errors): the {cls.content} is damaged, "
                "or of another release"
            ) from error

    def write(self, folder: Path) -> None:
        """Write or replace the manifest of a folder atomically and durably."""
        with replacing(folder / MANIFEST) as new:
            new.write_text(self.model_dump_json(indent=2) + "\n")


class CatalogueCopy(Record):
    """The copied catalogue: a file next to the manifest, named by its digest."""

    file: str = Field(pattern=r"^catalogue-[0-9a-f]{16}\.db$")
    bytes: int
    sha256: Digest
    revision: str


class UploadCopies(Record):
    """The copied uploads; `sha256` is the digest of their sorted names, a line each."""

    count: int
    bytes: int
    sha256: Digest


class Versions(Record):
    """The versions of the software that wrote the backup."""

    lookalike: str = __version__
    python: str = Field(default_factory=platform.python_version)
    sqlite: str = sqlite3.sqlite_version


class BackupManifest(Manifest):
    """The manifest of a backup; `instance` is the identity of the copied catalogue.

    `lost` are digests of uploads that the catalogue needs and the service has lost or damaged.
    """

    content = "backup"
    created_at: AwareDatetime
    instance: str
    catalogue: CatalogueCopy
    uploads: UploadCopies
    lost: tuple[str, ...] = ()
    versions: Versions = Field(default_factory=Versions)


class Shard(Record):
    """One Parquet file of a folder, and its number of rows."""

    file: str = Field(pattern=r"^[A-Za-z0-9_-]+\.parquet$")
    rows: int = Field(ge=0)


class ShardsManifest(Manifest):
    """The manifest of a folder of Parquet files, in the order of their import.

    `broken` is the number of files that could not be described.
    """

    content = "result of a bulk run"
    fingerprint: str
    shards: tuple[Shard, ...]
    broken: int = 0
