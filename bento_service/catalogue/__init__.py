"""The truth: SQL tables, migrations and transactions."""

from dataclasses import dataclass
from typing import Self

from bento_service.catalogue.collections import Collections
from bento_service.catalogue.database import Database
from bento_service.catalogue.images.descriptors import Vectors
from bento_service.catalogue.images.filtered import Filtered
from bento_service.catalogue.images.hashes import Hashes
from bento_service.catalogue.images.images import Images
from bento_service.catalogue.index_lifecycle.changes import Changes
from bento_service.catalogue.index_lifecycle.reindexes import Reindexes
from bento_service.catalogue.index_lifecycle.replacements import Successors
from bento_service.catalogue.index_lifecycle.retired import Retired
from bento_service.catalogue.indexes import Indexes
from bento_service.catalogue.jobs.control import JobControl
from bento_service.catalogue.jobs.idempotency_keys import Claims
from bento_service.catalogue.jobs.jobs import Jobs
from bento_service.catalogue.jobs.pruning import Pruning
from bento_service.catalogue.jobs.upload_references import UploadNeeds
from bento_service.catalogue.roots import Roots


@dataclass(frozen=True)
class Catalogue:
    """Everything that is known, in groups of questions. Close it with `with`."""

    database: Database
    collections: Collections
    indexes: Indexes
    changes: Changes
    images: Images
    filtered: Filtered
    jobs: Jobs
    job_control: JobControl
    claims: Claims
    reindexes: Reindexes
    pruning: Pruning
    upload_needs: UploadNeeds
    retired: Retired
    successors: Successors
    vectors: Vectors
    hashes: Hashes
    roots: Roots

    @classmethod
    def open(cls, url: str) -> Self:
        """Connect and bring the tables up to date.

        Args:
            url: An SQLAlchemy URL.
        """
        database = Database(url)
        database.migrate()
        return cls(
            database,
            Collections(database),
            Indexes(database),
            Changes(database),
            Images(database),
            Filtered(database),
            Jobs(database),
            JobControl(database),
            Claims(database),
            Reindexes(database),
            Pruning(database),
            UploadNeeds(database),
            Retired(database),
            Successors(database),
            Vectors(database),
            Hashes(database),
            Roots(database),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.database.__exit__(*error)
