"""The perceptual hashes and miniatures of images, as `bento_service.pictures` stores them."""

from collections.abc import Collection, Iterable, Mapping, Sequence

from sqlalchemy import bindparam, delete, or_, select, update

from bento_service.catalogue.database import TableGroup, insert_or_ignore, rows_in, write_in
from bento_service.catalogue.tables import images, miniatures

# Built once: most searches run it, and building it takes longer than running it.
_BOTH = (
    select(images.c.id, images.c.hashes, miniatures.c.pixels)
    .outerjoin(miniatures)
    .where(images.c.id.in_(bindparam("ids", expanding=True)), ~images.c.deleted)
)


class Hashes(TableGroup):
    """The column `hashes` of the `images` table, and the `miniatures` table."""

    def both(self, image_ids: Sequence[int]) -> dict[int, tuple[bytes | None, bytes | None]]:
        """Return hashes and miniatures of a few images; those that are deleted have no entry."""
        rows = self._database.rows(_BOTH, {"ids": image_ids})
        return {row.id: (row.hashes, row.pixels) for row in rows}

    def of(self, image_ids: Iterable[int]) -> dict[int, bytes | None]:
        """Return the hashes of those images that are not deleted; `None` if not computed yet."""
        statement = select(images.c.id, images.c.hashes).where(~images.c.deleted)
        with self._database.reading() as connection:
            rows = rows_in(connection, statement, images.c.id, image_ids)
            return {row.id: row.hashes for row in rows}

    def miniatures(self, image_ids: Iterable[int]) -> dict[int, bytes]:
        """Return the miniatures of those images that have one."""
        with self._database.reading() as connection:
            rows = rows_in(connection, select(miniatures), miniatures.c.image_id, image_ids)
            return {row.image_id: row.pixels for row in rows}

    def missing(self, *, after: int, limit: int) -> list[int]:
        """Return ids above `after` of images of all collections that lack either, in order."""
        statement = (
            select(images.c.id)
            .outerjoin(miniatures)
            .where(
                or_(images.c.hashes.is_(None), miniatures.c.image_id.is_(None)),
                ~images.c.deleted,
                images.c.id > after,
            )
            .order_by(images.c.id)
            .limit(limit)
        )
        return list(self._database.scalars(statement))

    def forget(self, image_ids: Collection[int]) -> None:
        """Remove hashes and miniatures of these images, so that they are computed again."""
        with self._database.writing() as connection:
            write_in(connection, update(images).values(hashes=None), images.c.id, image_ids)
            write_in(connection, delete(miniatures), miniatures.c.image_id, image_ids)

    def write(self, prints: Mapping[int, tuple[bytes, bytes]]) -> None:
        """Write the hashes and miniatures of some images, in one transaction."""
        if not prints:
            return
        statement = update(images).where(images.c.id == bindparam("image"))
        hashes = [{"image": image_id, "new": new} for image_id, (new, _) in prints.items()]
        with self._database.writing() as connection:
            connection.execute(statement.values(hashes=bindparam("new")), hashes)
            living = select(images.c.id).where(images.c.id.in_(prints), ~images.c.deleted)
            rows = [
                {"image_id": image_id, "pixels": prints[image_id][1]}
                for image_id in connection.scalars(living)
            ]
            if rows:
                connection.execute(insert_or_ignore(connection, miniatures), rows)
