"""Queries on the catalogue of a data folder."""


def ids_of(place, collection="main"):
    """Return the ids of a collection's images."""
    rows = place.sql(
        "SELECT i.id FROM images i JOIN collections c ON c.id = i.collection_id "
        "WHERE c.name = ? ORDER BY i.id",
        collection,
    )
    return [row[0] for row in rows]
