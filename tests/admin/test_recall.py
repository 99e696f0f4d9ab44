"""`recall`, on the embedded index and while a service uses a Milvus server."""

from datetime import UTC, datetime
from types import SimpleNamespace

import numpy as np
import pytest

from bento_service.admin.recall import Measurement, recall
from bento_service.catalogue import Catalogue
from bento_service.catalogue.images.loading import load_images
from bento_service.catalogue.jobs.records import Described, NewImage
from bento_service.catalogue.records import DescriptorSpace
from bento_service.gallery.exact import ExactGallery
from bento_service.settings import Settings
from tests.support.catalogues import sqlite_catalogue

SPACE = DescriptorSpace("vgg16-mac", "vgg16:one", "f" * 64, 2, "fp32")


def recalled(place, *arguments):
    code, record = place.admin("recall", *arguments)
    return code, {row["collection"]: row for row in record["collections"]}


def test_an_exact_index_has_a_recall_of_one(place):
    code, rows = recalled(place, "--top-k", "5")
    assert code == 0
    assert set(rows) == {"main", "sent"}
    assert all(row["recall"] == row["high"] == 1.0 for row in rows.values())
    assert all(0 < row["low"] < 1 for row in rows.values())
    assert {row["index_type"] for row in rows.values()} == {"FLAT"}


def test_with_more_neighbours_than_images_all_images_count(place):
    _, rows = recalled(place, "--collection", "sent", "--top-k", "100", "--sample", "3")
    assert (rows["sent"]["recall"], rows["sent"]["queries"]) == (1.0, 3)


def described(number):
    angle = number / 1000
    descriptor = np.array([np.cos(angle), np.sin(angle)], np.float32)
    picture = Described(f"{number:064x}", "PNG", 8, 8, 99, {SPACE.fingerprint: descriptor})
    return NewImage(picture, {}, datetime(2026, 1, 2, tzinfo=UTC))


def test_as_many_neighbours_as_a_search_returns_can_all_be_found(tmp_path, monkeypatch):
    settings = Settings(data_dir=tmp_path)
    with Catalogue.open(sqlite_catalogue(tmp_path / "catalogue.db")) as catalogue:
        many = catalogue.collections.create("many", SPACE)
        with catalogue.database.writing() as connection:
            load_images(connection, many, [described(number) for number in range(1001)])
        revision = catalogue.collections.named("many").index.revision
        catalogue.indexes.set_applied(many.index.id, revision)
        exact = SimpleNamespace(
            from_settings=lambda _: ExactGallery(catalogue.descriptors.of_index)
        )
        monkeypatch.setattr("bento_service.admin.recall.MilvusGallery", exact)
        answer = recall(settings, Measurement(sample=3, top_k=1000))
    assert [row["recall"] for row in answer.record["collections"]] == [1.0]


def test_lost_index_rows_lower_the_recall(place):
    (index,) = place.indexes("main")
    ids = place.sql(
        "SELECT i.id FROM images i JOIN collections c ON c.id = i.collection_id "
        "WHERE c.name = 'main'"
    )
    lost = sorted(row[0] for row in ids)[::2]
    place.serving("tamper", "missing", index, *lost)

    code, rows = recalled(place, "--collection", "main", "--top-k", "13")

    assert code == 1
    # Each of the 14 images is a neighbour of every other, and half of them are gone.
    recall_of_lost, recall_of_left = 7 / 13, 6 / 13
    assert rows["main"]["recall"] == pytest.approx((recall_of_lost + recall_of_left) / 2)


def test_recall_is_refused_while_a_service_uses_milvus_lite(place):
    with place.start_serving("hold") as service:
        assert service.stdout.readline().strip() == "ready"
        assert "Milvus Lite can be used by one process only" in place.refused("recall")


def test_recall_runs_while_a_service_uses_a_milvus_server(place, milvus_server):
    place.settings["LOOKALIKE_MILVUS_URI"] = milvus_server.uri
    place.settings["LOOKALIKE_INDEX"] = "hnsw"
    with place.start_serving("hold") as service:
        assert service.stdout.readline().strip() == "ready"
        code, rows = recalled(place, "--collection", "main", "--top-k", "5")
        assert (code, rows["main"]["recall"]) == (0, 1.0)


def test_options_out_of_range_are_refused(place):
    assert "--top-k 1 to 1000" in place.refused("recall", "--top-k", "0")
