"""Replacements: indexes of another type that are filled in the gallery while the old ones serve."""

from sqlalchemy import and_, delete, select, update

from bento_service.catalogue.database import TableGroup, insert_or_ignore
from bento_service.catalogue.indexes import new_index_name
from bento_service.catalogue.records import IndexRecord, Replacement
from bento_service.catalogue.tables import collections, indexes, replacements


class Replacements(TableGroup):
    """The `successors` table, with an applied revision of its own for each replacement."""

    def begin(self, index: IndexRecord, kind: str) -> None:
        """Record that an index is to be replaced by one of a type; forget an earlier plan."""
        own = replacements.c.index_id == index.id
        with self._database.writing() as connection:
            connection.execute(delete(replacements).where(own))
            still = connection.execute(select(indexes.c.id).where(indexes.c.id == index.id))
            if still.scalar() is None:  # its collection was deleted
                return
            values = {"index_id": index.id, "name": new_index_name(connection), "kind": kind}
            connection.execute(insert_or_ignore(connection, replacements), [values])

    def set_applied(self, replacement: Replacement, revision: int) -> None:
        """Record that a replacement has applied every change up to `revision`, or more."""
        own = and_(replacements.c.name == replacement.name, replacements.c.applied < revision)
        self._database.write(update(replacements).where(own).values(applied=revision))

    def restart(self, replacement: Replacement) -> None:
        """Record that a replacement has applied nothing."""
        own = replacements.c.name == replacement.name
        self._database.write(update(replacements).where(own).values(applied=0))

    def switch(self, index: IndexRecord, replacement: Replacement) -> bool:
        """Let searches use the replacement; return false if another plan has taken its place."""
        with self._database.writing() as connection:
            applied = connection.execute(
                delete(replacements)
                .where(replacements.c.index_id == index.id, replacements.c.name == replacement.name)
                .returning(replacements.c.applied)
            ).scalar()
            if applied is None:
                return False
            pointing = collections.c.index_name == index.name
            connection.execute(
                update(collections).where(pointing).values(index_name=replacement.name)
            )
            values = {"name": replacement.name, "applied": applied}
            connection.execute(update(indexes).where(indexes.c.id == index.id).values(values))
            return True

    def give_up(self, index: IndexRecord) -> None:
        """Forget a replacement; the caller drops it from the gallery."""
        self._database.write(delete(replacements).where(replacements.c.index_id == index.id))
