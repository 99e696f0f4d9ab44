"""Filters, by the client, over the real service: everywhere the same images pass."""

import httpx
import pytest

from client_sdk import InvalidArgument

SHOPS = {"astronaut": "north", "chelsea": "north", "coffee": "south", "rocket": "south"}


@pytest.fixture(scope="module")
def shelves(backend, photographs):
    """Yield a collection of four photographs with metadata, two uploads a shop."""
    with backend.client() as client:
        client.create_collection("shelves")
        for price, (name, shop) in enumerate(SHOPS.items(), start=1):
            metadata = {"shop": shop, "price": price, "size": {"odd name": price * 10}}
            picture = photographs / f"{name}.jpg"
            client.upload([picture], collection="shelves", metadata=metadata).wait()
        yield "shelves"
        client.collection("shelves").delete()


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ('shop == "north"', {"astronaut.jpg", "chelsea.jpg"}),
        ('shop == "north" and price < 2', {"astronaut.jpg"}),
        ('not shop like "n%"', {"coffee.jpg", "rocket.jpg"}),
        ('size."odd name" in [20, 40]', {"chelsea.jpg", "rocket.jpg"}),
        ('$format == "JPEG" and $width > 0', {f"{name}.jpg" for name in SHOPS}),
        ("missing == 1", set()),
    ],
)
def test_search_list_and_count_agree(text, names, client, shelves, photographs):
    hits = client.search(photographs / "coins.jpg", collection=shelves, filter=text).hits

    assert {hit.name for hit in hits} == names
    assert {image.name for image in client.images(collection=shelves, filter=text)} == names
    assert client.count(collection=shelves, filter=text) == len(names)


def test_a_search_by_id_is_filtered_too(client, shelves):
    astronaut, *_ = client.images(collection=shelves)

    hits = client.search(astronaut.id, collection=shelves, filter='shop == "south"').hits

    assert {hit.name for hit in hits} == {"coffee.jpg", "rocket.jpg"}
    assert [hit.rank for hit in hits] == [1, 2]


def test_a_filtered_walk_goes_over_all_pages(client, shelves):
    walked = client.images(collection=shelves, filter="price > 1", page_size=1)

    assert [image.metadata["price"] for image in walked] == [2, 3, 4]


def test_images_that_pass_are_deleted_and_gone_from_every_answer(client, collection, photographs):
    for price, path in enumerate(sorted(photographs.iterdir())):
        client.upload([path], collection=collection, metadata={"price": price}).wait()

    assert client.delete(filter="price >= 2", collection=collection) == 4

    assert client.count(collection=collection) == 2
    hits = client.search(photographs / "coffee.jpg", collection=collection, filter="price > 0").hits
    assert [hit.metadata["price"] for hit in hits] == [1]


def test_changed_metadata_counts_at_once(client, http, collection, photographs):
    client.upload([photographs / "coins.jpg"], collection=collection).wait()
    (image,) = client.images(collection=collection)

    changed = http.patch(f"/api/v2/images/{image.id}", json={"metadata": {"price": 3}})

    assert changed.status_code == 200
    assert client.count(collection=collection, filter="price == 3") == 1


@pytest.mark.parametrize(
    "ask",
    [
        lambda client, name: client.count(collection=name, filter="price <"),
        lambda client, name: list(client.images(collection=name, filter="price <")),
        lambda client, name: client.delete(filter="price <", collection=name),
        lambda client, name: client.search(
            next(client.images(collection=name)).image_id, collection=name, filter="price <"
        ),
    ],
)
def test_a_mistake_in_a_filter_is_refused_with_its_place(ask, client, shelves):
    with pytest.raises(InvalidArgument, match="found the end, at character 8"):
        ask(client, shelves)
    assert client.count(collection=shelves) == 4


@pytest.mark.parametrize("more", [{"ids": [1]}, {"all": True}])
def test_a_delete_names_one_thing(more, http, shelves):
    body = {"collection": shelves, "filter": "price > 0", **more}
    answer = http.post("/api/v2/delete", json=body)

    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_argument")
    assert "nothing was done" in answer.json()["detail"]


def test_an_empty_filter_is_no_way_to_delete_all(http, shelves):
    answer = http.post("/api/v2/delete", json={"collection": shelves, "filter": ""})

    assert answer.status_code == 422
    assert _count(http, shelves) == 4


def test_a_count_can_be_asked_with_a_body(http, shelves):
    body = {"collection": shelves, "filter": 'shop == "north"'}

    assert http.post("/api/v2/count", json=body).json()["count"] == 2


def test_the_language_is_in_the_description_of_the_api(http):
    document = http.get("/openapi.json").json()
    (parameter,) = (
        one
        for one in document["paths"]["/api/v2/images"]["get"]["parameters"]
        if one["name"] == "filter"
    )

    assert 'like "north%"' in parameter["description"]


def test_metadata_with_too_many_values_is_refused(client, collection, photographs):
    with pytest.raises(InvalidArgument, match="more than 1000 values"):
        client.upload(
            [photographs / "coins.jpg"],
            collection=collection,
            metadata={"numbers": list(range(1001))},
        )


def _count(http: httpx.Client, collection: str) -> int:
    return http.get("/api/v2/count", params={"collection": collection}).json()["count"]
