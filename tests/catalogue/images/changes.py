"""Images of the catalogue."""


def changed(catalogue, collection, *, after=(0, 0), limit=1000):
    return catalogue.changes.page(collection.index.id, after=after, limit=limit)
