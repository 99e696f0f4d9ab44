"""Lookup of images by digest in PostgreSQL."""

from datetime import UTC, datetime

from bento_service.catalogue import Catalogue
from bento_service.catalogue.copying import insert_many
from bento_service.catalogue.images.lookup import ids_by_digest
from bento_service.catalogue.tables import images

COUNTED = (
    "SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_xact_user_tables WHERE relname = 'images'"
)


def test_a_lookup_in_a_new_catalogue_reads_only_the_images_that_it_returns(
    new_postgresql_database, space, digest
):
    """A new catalogue has no statistics, by which PostgreSQL would choose an index."""
    stored = {"format": "PNG", "width": 1, "height": 1, "bytes": 1, "metadata": {}}
    wanted = [digest(f"{number}") for number in range(2900, 3400)]
    with Catalogue.open(new_postgresql_database()) as catalogue:
        stored["collection_id"] = catalogue.collections.create("cats", space).id
        stored["created_at"] = datetime.now(UTC)
        rows = [{**stored, "sha256": digest(f"{number}")} for number in range(3000)]
        with catalogue.database.writing() as connection:
            insert_many(connection, images, rows)
            before = connection.exec_driver_sql(COUNTED).scalar_one()
            known = ids_by_digest(connection, stored["collection_id"], wanted)
            after = connection.exec_driver_sql(COUNTED).scalar_one()

    assert known.keys() == set(wanted[:100])
    assert after - before == 100
