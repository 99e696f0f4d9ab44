"""The truth: SQL tables, migrations and transactions."""

from dataclasses import dataclass
from typing import Self

from bento_service.catalogue.changes import Changes
from bento_service.catalogue.claims import Claims
from bento_service.catalogue.collections import Collections
from bento_service.catalogue.database import Database
from bento_service.catalogue.filtered import Filtered
from bento_service.catalogue.hashes import Hashes
from bento_service.catalogue.images import Images
from bento_service.catalogue.indexes import Indexes
from bento_service.catalogue.job_control import JobControl
from bento_service.catalogue.jobs import Jobs
from bento_service.catalogue.pruning import Pruning
from bento_service.catalogue.reindexes import Reindexes
from bento_service.catalogue.retired import Retired
from bento_service.catalogue.roots import Roots
from bento_service.catalogue.successors import Successors
from bento_service.catalogue.upload_needs import UploadNeeds
from bento_service.catalogue.vectors import Vectors


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
