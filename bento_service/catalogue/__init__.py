"""The catalogue, which is the truth: SQL tables, migrations and transactions."""

from dataclasses import dataclass, fields
from typing import Any, Self

from bento_service.catalogue.collections import Collections
from bento_service.catalogue.database import Database
from bento_service.catalogue.images.descriptors import Descriptors
from bento_service.catalogue.images.filtered import FilteredImages
from bento_service.catalogue.images.hashes import Hashes
from bento_service.catalogue.images.images import Images
from bento_service.catalogue.index_lifecycle.changes import Changes
from bento_service.catalogue.index_lifecycle.reindexes import Reindexes
from bento_service.catalogue.index_lifecycle.replacements import Replacements
from bento_service.catalogue.index_lifecycle.retired import RetiredIndexes
from bento_service.catalogue.indexes import Indexes
from bento_service.catalogue.jobs.control import JobControl
from bento_service.catalogue.jobs.idempotency_keys import IdempotencyKeys
from bento_service.catalogue.jobs.jobs import Jobs
from bento_service.catalogue.jobs.leases import Leases
from bento_service.catalogue.jobs.pruning import Pruning
from bento_service.catalogue.jobs.upload_pins import UploadPins
from bento_service.catalogue.jobs.upload_references import UploadReferences
from bento_service.catalogue.replicas import Replicas
from bento_service.catalogue.roots import Roots


@dataclass(frozen=True)
class Catalogue:
    """All tables in groups, over one database. Close it with `with`.

    Every method of every group may raise `CatalogueUnavailable` and, if it writes, `StorageFull`.
    """

    database: Database
    collections: Collections
    indexes: Indexes
    changes: Changes
    images: Images
    filtered: FilteredImages
    jobs: Jobs
    leases: Leases
    job_control: JobControl
    idempotency_keys: IdempotencyKeys
    reindexes: Reindexes
    pruning: Pruning
    upload_pins: UploadPins
    upload_references: UploadReferences
    retired_indexes: RetiredIndexes
    replacements: Replacements
    descriptors: Descriptors
    hashes: Hashes
    roots: Roots
    replicas: Replicas

    @classmethod
    def open(cls, url: str) -> Self:
        """Connect to the database of an SQLAlchemy URL and bring the tables up to date."""
        database = Database(url)
        database.migrate()
        groups: dict[str, Any] = {part.name: part.type for part in fields(cls)[1:]}
        return cls(database, **{name: group(database) for name, group in groups.items()})

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.database.__exit__(*error)
