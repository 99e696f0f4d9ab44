"""A collection whose index is swapped, in a real Milvus server."""

from functools import partial

import numpy as np
from sqlalchemy import insert

from bento_service.catalogue.images.attributes import add_attributes
from bento_service.catalogue.records import Computed, DescriptorSpace
from bento_service.catalogue.revisions import next_revision
from bento_service.catalogue.tables import descriptors, images
from bento_service.descriptors.describer import Describer
from bento_service.gallery.index_types import IndexRule
from bento_service.indexing.index_swap import IndexSwap
from bento_service.indexing.replay import Replay, ReplayPace
from bento_service.search.picture_searcher import PictureSearcher
from bento_service.search.query import Query
from tests.support import indexes
from tests.support.local_decoder import LocalDecoder
from tests.support.waiting import wait_until

DIMENSION = 32
SPACE = DescriptorSpace("vgg16-mac", "vgg16:one", "f" * 64, DIMENSION, "fp32")
DECODER = LocalDecoder(max_pixels=10_000)


random_units = partial(indexes.random_units, dimension=DIMENSION)


def add(catalogue, collection, vectors, first):
    """Commit images with these descriptors, ids from `first`."""
    ids = range(first, first + len(vectors))
    rows = [
        {
            "id": image_id,
            "collection_id": collection.id,
            "sha256": f"{image_id:064}",
            "format": "PNG",
            "width": 20,
            "height": 10,
            "bytes": 99,
            "metadata": {"number": image_id},
            "created_at": collection.created_at,
        }
        for image_id in ids
    ]
    with catalogue.database.writing() as connection:
        revision = next_revision(connection, collection.id)
        connection.execute(insert(images), rows)
        connection.execute(
            insert(descriptors),
            [
                {
                    "image_id": image_id,
                    "index_id": collection.index.id,
                    "revision": revision,
                    "descriptor": vector.tobytes(),
                }
                for image_id, vector in zip(ids, vectors, strict=True)
            ],
        )
        metadata = {image_id: {"number": image_id} for image_id in ids}
        add_attributes(connection, collection.id, metadata)


def exact(vectors, query):
    """Return the positions of the images, best first, ties by position."""
    cosines = np.round(vectors.astype(np.float64) @ query.astype(np.float64), 6)
    return np.lexsort((np.arange(len(vectors)), -cosines))


class IndexedCollection:
    """A catalogue over the server, with one collection of ids from 1."""

    def __init__(self, catalogue, gallery, vectors):
        self.catalogue = catalogue
        self.gallery = gallery
        self.vectors = vectors
        self.cats = catalogue.collections.create("cats", SPACE)
        add(catalogue, self.cats, vectors, 1)
        self.searcher = self.searching()

    def searching(self, describe=None, **options):
        computed = Computed((SPACE,))
        return PictureSearcher(
            self.catalogue,
            self.gallery,
            Describer(DECODER, describe, side=4),
            computed=computed,
            **options,
        )

    def following(self, choice="auto", **options):
        return Replay(
            self.catalogue,
            self.gallery,
            on_purged=lambda digests: None,
            swap=IndexSwap(
                self.catalogue,
                self.gallery,
                IndexRule(choice, embedded=False, **options),
                building_seconds=0.1,
                retry_seconds=0.1,
            ),
            pace=ReplayPace(gather_seconds=0.01),
        )

    @property
    def index(self):
        return self.catalogue.collections.named("cats").index

    def kind(self):
        index = self.index
        return self.gallery.kind(index.name) if index.applied else None

    def bring_to(self, kind):
        with self.following(kind.lower()) as replay:
            wait_until(lambda: self.is_settled(replay, kind))

    def is_settled(self, replay, kind):
        index = self.index
        return (
            index.applied >= index.revision
            and replay.is_open(index)
            and index.replacement is None
            and self.kind() is kind
        )

    def search(self, query, searcher=None, **options):
        return (searcher or self.searcher).by_descriptor(Query("cats", **options), query).hits

    def drop(self):
        for index in self.catalogue.indexes.all():
            for name in index.names:
                self.gallery.drop(name)


def ids_of(found):
    return [one.image.id for one in found]
