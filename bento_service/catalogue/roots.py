"""The names of image roots, and the folders that they are bound to."""

from collections.abc import Iterable, Sequence

from sqlalchemy import Connection, delete, exists, select, update

from bento_service.catalogue.database import TableGroup, insert_or_ignore, lock_catalogue
from bento_service.catalogue.records import KnownFile, RootRecord, Stamp
from bento_service.catalogue.states import SourceKind
from bento_service.catalogue.tables import images, jobs, roots, sources

_VERSION = (sources.c.mtime_ns, sources.c.etag)


class Roots(TableGroup):
    """The `roots` table: the image roots that hold the files of images or jobs."""

    def all(self) -> list[RootRecord]:
        """Return the roots that images or jobs refer to, oldest first."""
        is_source = exists().where(
            sources.c.kind == SourceKind.FILE, sources.c.root == roots.c.name
        )
        is_job = exists().where(jobs.c.kind == SourceKind.FILE, jobs.c.root == roots.c.name)
        statement = (
            select(roots.c.name, roots.c.path, roots.c.spelled)
            .where(is_source | is_job)
            .order_by(roots.c.id)
        )
        return [RootRecord(**row._mapping) for row in self._database.rows(statement)]

    def bind(self, bound: Sequence[RootRecord]) -> None:
        """Write which folder each root is, and drop all other roots."""
        names = [record.name for record in bound]
        with self._database.writing() as connection:
            lock_catalogue(connection)  # replicas that start at once write the same rows
            connection.execute(delete(roots).where(roots.c.name.not_in(names)))
            # Paths must be unique even between two statements.
            connection.execute(update(roots).values(path=None))
            reserve(connection, names)
            for record in bound:
                connection.execute(
                    update(roots)
                    .where(roots.c.name == record.name)
                    .values(path=record.path, spelled=record.spelled)
                )

    def sample(self, name: str, *, limit: int) -> list[KnownFile]:
        """Return some of a root's files, spread over all of them."""
        statement = (
            select(sources.c.path, images.c.bytes, sources.c.sha256, *_VERSION)
            .join(images, images.c.id == sources.c.image_id)
            .where(sources.c.kind == SourceKind.FILE, sources.c.root == name)
            .order_by(sources.c.sha256)
            .limit(limit)
        )
        return [
            KnownFile(row.path, Stamp(row.bytes, row.mtime_ns, row.etag), row.sha256)
            for row in self._database.rows(statement)
        ]


def reserve(connection: Connection, names: Iterable[str]) -> None:
    """Add names of roots whose folders are not known; skip known names."""
    for name in names:
        present = select(roots.c.id).where(roots.c.name == name)
        if connection.execute(present).first() is None:
            connection.execute(insert_or_ignore(connection, roots), [{"name": name}])
