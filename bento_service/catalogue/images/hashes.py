"""The perceptual hashes of images, as `pictures.perceptual_hash` stores them."""

from collections.abc import Iterable, Mapping

from sqlalchemy import bindparam, select, update

from bento_service.catalogue.database import TableGroup, slices
from bento_service.catalogue.tables import images


class Hashes(TableGroup):
    """The column `hashes` of the `images` table."""

    def of(self, image_ids: Iterable[int]) -> dict[int, bytes | None]:
        """Return the hashes of those images that are not deleted; `None` if not computed yet."""
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
        """Return ids above `after` of images of all collections without hashes, in order."""
        statement = (
            select(images.c.id)
            .where(images.c.hashes.is_(None), ~images.c.deleted, images.c.id > after)
            .order_by(images.c.id)
            .limit(limit)
        )
        return list(self._database.scalars(statement))

    def forget(self, image_ids: Iterable[int]) -> None:
        """Remove the hashes of these images, so that they are computed again."""
        with self._database.writing() as connection:
            for some in slices(sorted(image_ids)):
                connection.execute(update(images).where(images.c.id.in_(some)).values(hashes=None))

    def write(self, hashes: Mapping[int, bytes]) -> None:
        """Write the hashes of some images, in one transaction."""
        if not hashes:
            return
        statement = update(images).where(images.c.id == bindparam("image"))
        rows = [{"image": image_id, "new": new} for image_id, new in hashes.items()]
        with self._database.writing() as connection:
            connection.execute(statement.values(hashes=bindparam("new")), rows)
