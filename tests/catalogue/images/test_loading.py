"""Loading of many images at once, in each database that the service can use."""

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from bento_service.catalogue.copying import insert_many
from bento_service.catalogue.images.loading import load_images, unsettled
from bento_service.catalogue.jobs.records import Described, NewImage
from bento_service.catalogue.records import SourceRecord
from bento_service.catalogue.states import SourceKind
from bento_service.catalogue.tables import images
from bento_service.errors import CatalogueUnavailable, CollectionNotFound, Conflict

WHEN = datetime(2024, 2, 29, 12, 30, tzinfo=UTC)


def file(path, root="pictures"):
    return SourceRecord(SourceKind.FILE, root, path)


@pytest.fixture
def loaded(digest, space):
    """An image ready to be loaded, the same for the same name."""

    def make(name, *sources, metadata=None):
        described = Described(
            digest(name),
            "PNG",
            20,
            10,
            99,
            {space.fingerprint: np.array((0.0, 0.6, 0.8, 0.0), np.float32)},
            hashes=b"h" * 64,
            miniature=b"m" * 4096,
        )
        return NewImage(described, metadata or {}, WHEN, sources)

    return make


@pytest.fixture
def load(catalogue, cats):
    """Load images into `cats`; return how many were new."""

    def load(*loaded):
        with catalogue.database.writing() as connection:
            return load_images(connection, cats, loaded)

    return load


def test_every_value_arrives(load, loaded, catalogue, cats, digest):
    metadata = {"shop": "nörth", "price": 1.5, "tags": ["a", None], "n": 3, "new": True}
    places = (file("a/ü.png"), file("b/\udcff.png"), SourceRecord(SourceKind.UPLOAD, "", "sent"))

    assert load(loaded("a", *places, metadata=metadata)) == 1

    (image,) = catalogue.images.page(cats.id, limit=10)
    assert (image.sha256, image.format, image.width, image.height, image.bytes) == (
        digest("a"),
        "PNG",
        20,
        10,
        99,
    )
    assert image.metadata == metadata
    assert image.created_at == WHEN
    assert image.sources == places
    stored = catalogue.images.descriptor(image.id, cats.index.id)
    assert stored.tolist() == [np.float32(each) for each in (0.0, 0.6, 0.8, 0.0)]
    assert catalogue.hashes.of([image.id]) == {image.id: b"h" * 64}
    assert catalogue.hashes.miniatures([image.id]) == {image.id: b"m" * 4096}
    assert "pictures" in {root.name for root in catalogue.roots.all()}


def test_filters_find_loaded_images(load, loaded, catalogue, cats, digest):
    from bento_service.filters.parser import parse

    load(loaded("a", metadata={"price": 2}), loaded("b", metadata={"price": 20}))

    found = catalogue.images.page(cats.id, limit=10, which=parse("price < 10"))
    assert [image.sha256 for image in found] == [digest("a")]


def test_indexes_see_them_as_changes(load, loaded, catalogue, cats):
    load(loaded("a"), loaded("b"))
    load(loaded("c"))

    changes = catalogue.changes.page(cats.index.id, after=(0, 0), limit=10)
    assert len(changes) == 3
    assert [change.revision for change in changes] == [1, 1, 2]


def test_a_repeated_digest_is_one_image_with_all_sources(load, loaded, catalogue, cats):
    assert load(loaded("a", file("1.png")), loaded("a", file("2.png"), file("1.png"))) == 1
    assert load(loaded("a", file("3.png"), file("2.png")), loaded("b", file("4.png"))) == 1

    first, second = catalogue.images.page(cats.id, limit=10)
    assert [source.path for source in first.sources] == ["1.png", "2.png", "3.png"]
    assert [source.path for source in second.sources] == ["4.png"]


def test_ids_rise_and_are_never_used_twice(load, loaded, add, catalogue, cats, ids):
    before = add(cats, "x", "y")
    catalogue.images.delete(cats.id, before)
    catalogue.indexes.set_applied(cats.index.id, 10**6)
    catalogue.images.purge(cats.id)

    load(loaded("a"), loaded("b"))
    after = add(cats, "z")

    assert min(ids(cats)) > max(before)
    assert ids(cats) == sorted(ids(cats))
    assert after == [max(ids(cats))]


def test_a_deleted_image_is_loaded_again(load, loaded, catalogue, cats, ids):
    load(loaded("a", file("1.png")))
    catalogue.images.delete(cats.id, ids(cats))

    assert load(loaded("a", file("1.png"))) == 1
    assert len(ids(cats)) == 1


def test_only_images_that_lack_something_are_unsettled(load, loaded, catalogue, cats, digest):
    load(loaded("a", file("1.png")), loaded("b", file("2.png")))

    wanted = [
        (digest("a"), (file("1.png"),)),
        (digest("b"), (file("2.png"), file("3.png"))),
        (digest("c"), ()),
        (digest("b"), ()),
    ]
    with catalogue.database.reading() as connection:
        assert unsettled(connection, cats.id, wanted) == [1, 2]


def test_nothing_is_written_if_the_block_fails(loaded, catalogue, cats, ids):
    def interrupted():
        with catalogue.database.writing() as connection:
            load_images(connection, cats, [loaded("a", file("1.png"))])
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        interrupted()
    assert ids(cats) == []


def test_a_deleted_collection_is_reported(load, loaded, catalogue, cats):
    catalogue.collections.delete(cats.id)
    with pytest.raises(CollectionNotFound):
        load(loaded("a"))


def test_loading_ends_where_a_reindex_begins(load, loaded, catalogue, cats, space, ids):
    load(loaded("a"))
    other = replace(space, descriptor="vgg16-rmac4", fingerprint="e" * 64)
    catalogue.reindexes.begin(cats, other, drop_missing=True)
    with pytest.raises(Conflict, match=r"a reindex of collection 'cats' has begun.*import again"):
        load(loaded("b"))
    assert len(ids(cats)) == 1
    catalogue.reindexes.forget(cats)
    assert load(loaded("b")) == 1


def test_a_failure_of_copy_is_an_error_of_the_catalogue(url, catalogue, cats, digest):
    if url.startswith("sqlite"):
        pytest.skip("SQLite has no COPY")
    row = {
        "collection_id": cats.id,
        "sha256": digest("a"),
        "format": "PNG",
        "width": 1,
        "height": 1,
        "bytes": 1,
        "metadata": {},
        "created_at": WHEN,
    }

    def insert_while_locked():
        with (
            catalogue.database.writing() as connection,
            catalogue.database.writing() as other,
        ):
            connection.exec_driver_sql("SET LOCAL lock_timeout = '200ms'")
            other.exec_driver_sql("LOCK TABLE images IN ACCESS EXCLUSIVE MODE")
            insert_many(connection, images, [row])

    with pytest.raises(CatalogueUnavailable):
        insert_while_locked()
