"""The truth: SQL tables, migrations and transactions."""

from dataclasses import dataclass
from typing import Self

from bento_service.catalogue.collections import Collections
from bento_service.catalogue.database import Database
from bento_service.catalogue.filtered import Filtered
from bento_service.catalogue.images import Images
from bento_service.catalogue.jobs import Jobs


@dataclass(frozen=True)
class Catalogue:
    """Everything that is known, in groups of questions. Close it with `with`."""

    database: Database
    collections: Collections
    images: Images
    filtered: Filtered
    jobs: Jobs

    @classmethod
    def open(cls, url: str) -> Self:
        """Connect and bring the tables up to date.

        Args:
            url: An SQLAlchemy URL.
        """
        database = Database(url)
        database.migrate()
        return cls(
            database, Collections(database), Images(database), Filtered(database), Jobs(database)
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.database.__exit__(*error)
