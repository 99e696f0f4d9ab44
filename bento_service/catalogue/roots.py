"""The names of image roots, and the folders that they are bound to."""

from collections.abc import Iterable, Sequence

from sqlalchemy import Connection, delete, exists, select, update

from bento_service.catalogue.database import Database, insert_or_ignore
from bento_service.catalogue.records import KnownFile, RootRecord
from bento_service.catalogue.tables import SourceKind, images, jobs, roots, sources


class Roots:
    """Remembers the image roots that hold the files of images or jobs."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self) -> list[RootRecord]:
        """Return the roots that images or jobs refer to, in the order in which they came."""
        is_source = exists().where(
            sources.c.kind == SourceKind.FILE, sources.c.root == roots.c.name
        )
        is_job = exists().where(jobs.c.kind == SourceKind.FILE, jobs.c.root == roots.c.name)
        statement = (
            select(roots.c.name, roots.c.path, roots.c.spelled)
            .where(is_source | is_job)
            .order_by(roots.c.id)
        )
        with self._database.reading() as connection:
            return [RootRecord(*row) for row in connection.execute(statement)]

    def bind(self, bound: Sequence[RootRecord]) -> None:
        """Write which folder each root is, and drop all others.

        Args:
            bound: The roots that are needed.
        """
        names = [one.name for one in bound]
        with self._database.writing() as connection:
            connection.execute(delete(roots).where(roots.c.name.not_in(names)))
            # No two may have one path, not even for a moment.
            connection.execute(update(roots).values(path=None))
            reserve(connection, names)
            for one in bound:
                connection.execute(
                    update(roots)
                    .where(roots.c.name == one.name)
                    .values(path=one.path, spelled=one.spelled)
                )

    def sample(self, name: str, *, limit: int) -> list[KnownFile]:
        """Return some of a root's files, spread over all of them."""
        statement = (
            select(sources.c.path, images.c.bytes, sources.c.sha256, sources.c.mtime_ns)
            .join(images, images.c.id == sources.c.image_id)
            .where(sources.c.kind == SourceKind.FILE, sources.c.root == name)
            .order_by(sources.c.sha256)
            .limit(limit)
        )
        with self._database.reading() as connection:
            return [KnownFile(*row) for row in connection.execute(statement)]


def reserve(connection: Connection, names: Iterable[str]) -> None:
    """Add names of roots whose folders are not known, except those that are there.

    Args:
        connection: In a writing transaction.
        names: The names.
    """
    for name in names:
        present = select(roots.c.id).where(roots.c.name == name)
        if connection.execute(present).first() is None:
            connection.execute(insert_or_ignore(connection, roots), [{"name": name}])
