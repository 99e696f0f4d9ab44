"""The perceptual hashes of images, as bytes; what they mean is known to `vision.hashing`."""

from collections.abc import Iterable, Mapping

from sqlalchemy import bindparam, select, update

from bento_service.catalogue.database import Database
from bento_service.catalogue.slices import slices
from bento_service.catalogue.tables import images


class Hashes:
    """The column `hashes` of the `images` table."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of(self, image_ids: Iterable[int]) -> dict[int, bytes | None]:
        """Those of the living ones among these images; `None` where they are still to come."""
        with self._database.reading() as connection:
            return {
                row.id: row.hashes
                for some in slices(sorted(set(image_ids)))
                for row in connection.execute(
                    select(images.c.id, images.c.hashes).where(
                        images.c.id.in_(some), ~images.c.deleted
                    )
                )
            }

    def missing(self, *, after: int, limit: int) -> list[int]:
        """Living images of all collections whose hashes are still to come, by rising id."""
        statement = (
            select(images.c.id)
            .where(images.c.hashes.is_(None), ~images.c.deleted, images.c.id > after)
            .order_by(images.c.id)
            .limit(limit)
        )
        with self._database.reading() as connection:
            return list(connection.execute(statement).scalars())

    def forget(self, image_ids: Iterable[int]) -> None:
        """Remove those of some images, so that they are computed again."""
        with self._database.writing() as connection:
            for some in slices(sorted(image_ids)):
                connection.execute(update(images).where(images.c.id.in_(some)).values(hashes=None))

    def write(self, found: Mapping[int, bytes]) -> None:
        """Write those of some images, in one transaction; it changes nothing that is searched."""
        if not found:
            return
        statement = update(images).where(images.c.id == bindparam("image"))
        rows = [{"image": image_id, "made": made} for image_id, made in found.items()]
        with self._database.writing() as connection:
            connection.execute(statement.values(hashes=bindparam("made")), rows)
