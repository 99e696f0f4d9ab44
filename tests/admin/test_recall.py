"""`recall`, on the embedded index and beside a service that runs on a server."""

import pytest


def recalled(place, *arguments):
    code, record = place.admin("recall", *arguments)
    return code, {one["collection"]: one for one in record["collections"]}


def test_an_exact_index_finds_everything(place):
    code, found = recalled(place, "--top-k", "5")
    assert code == 0
    assert set(found) == {"main", "sent"}
    assert all(one["recall"] == one["high"] == 1.0 for one in found.values())
    assert all(0 < one["low"] < 1 for one in found.values())
    assert {one["index_type"] for one in found.values()} == {"FLAT"}


def test_more_neighbours_than_images_are_all_of_them(place):
    _, found = recalled(place, "--collection", "sent", "--top-k", "100", "--sample", "3")
    assert (found["sent"]["recall"], found["sent"]["queries"]) == (1.0, 3)


def test_an_index_that_lost_rows_is_told(place):
    (index,) = place.indexes("main")
    rows = place.sql(
        "SELECT i.id FROM images i JOIN collections c ON c.id = i.collection_id "
        "WHERE c.name = 'main'"
    )
    lost = sorted(row[0] for row in rows)[::2]
    place.serving("tamper", "missing", index, *lost)

    code, found = recalled(place, "--collection", "main", "--top-k", "13")

    assert code == 1
    # Of 14 images every one is a neighbour of every other: half of them are gone.
    found_of_lost, found_of_left = 7 / 13, 6 / 13
    assert found["main"]["recall"] == pytest.approx((found_of_lost + found_of_left) / 2)


def test_while_a_service_has_the_embedded_index_it_refuses(place):
    with place.start_serving("hold") as service:
        assert service.stdout.readline().strip() == "ready"
        assert "Milvus Lite can be used by one process only" in place.refused("recall")


def test_beside_a_service_on_a_server_it_measures(place, milvus_server):
    place.settings["LOOKALIKE_MILVUS_URI"] = milvus_server.uri
    place.settings["LOOKALIKE_INDEX"] = "hnsw"
    with place.start_serving("hold") as service:
        assert service.stdout.readline().strip() == "ready"
        code, found = recalled(place, "--collection", "main", "--top-k", "5")
        assert (code, found["main"]["recall"]) == (0, 1.0)


def test_numbers_that_make_no_sense_are_refused(place):
    assert "--top-k 1 to 1000" in place.refused("recall", "--top-k", "0")
