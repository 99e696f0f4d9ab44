"""Lists of images in an order: by id, name or time, page by page."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import update

from bento_service.catalogue.images import orders
from bento_service.catalogue.images.orders import Order, key_of
from bento_service.catalogue.tables import images
from bento_service.errors import InvalidArgument

NAMES = ("b/tom.jpg", "a/Kit.jpg", "c/ana.jpg", "kit.jpg", "z/ana.jpg", "\udcff.jpg", "Ωmega.jpg")


@pytest.fixture
def cats_in_disorder(catalogue, cats, add):
    """Ids by name; the first image is the newest, and two are of one time."""
    ids = dict(zip(NAMES, add(cats, *NAMES), strict=True))
    start = datetime(2026, 1, 1, tzinfo=UTC)
    for number, image_id in enumerate(ids.values()):
        created = start - timedelta(days=number // 2)
        with catalogue.database.writing() as connection:
            moved = update(images).where(images.c.id == image_id).values(created_at=created)
            connection.execute(moved)
    return ids


def _listed(catalogue, cats, order, *, limit=2):
    found, after = [], None
    while page := catalogue.images.page(cats.id, order=order, after=after, limit=limit):
        found += page
        after = key_of(order, page[-1])
    return [image.id for image in found]


def test_ids_rise_or_fall(catalogue, cats, cats_in_disorder):
    ids = sorted(cats_in_disorder.values())
    assert _listed(catalogue, cats, Order.ID) == ids
    assert _listed(catalogue, cats, Order.ID_DESCENDING) == ids[::-1]


def test_names_are_sorted_without_their_folders_and_upper_case(catalogue, cats, cats_in_disorder):
    by_id = {image_id: name for name, image_id in cats_in_disorder.items()}
    listed = [by_id[image_id] for image_id in _listed(catalogue, cats, Order.NAME)]
    assert listed[:5] == ["c/ana.jpg", "z/ana.jpg", "a/Kit.jpg", "kit.jpg", "b/tom.jpg"]
    assert set(listed) == set(NAMES)


def test_images_of_one_time_are_sorted_by_id(catalogue, cats, cats_in_disorder):
    ids = list(cats_in_disorder.values())
    oldest_first = [ids[6], ids[4], ids[5], ids[2], ids[3], ids[0], ids[1]]
    assert _listed(catalogue, cats, Order.CREATED_AT) == oldest_first
    assert _listed(catalogue, cats, Order.CREATED_AT_DESCENDING) == oldest_first[::-1]


@pytest.mark.parametrize("order", Order)
def test_a_page_goes_on_where_its_last_image_was_deleted(order, catalogue, cats, cats_in_disorder):
    whole = _listed(catalogue, cats, order)
    page = catalogue.images.page(cats.id, order=order, after=None, limit=3)
    catalogue.images.delete(cats.id, [page[-1].id])
    rest = catalogue.images.page(cats.id, order=order, after=key_of(order, page[-1]), limit=9)
    assert [image.id for image in [*page, *rest]] == whole


def test_a_page_by_name_is_of_one_state(catalogue, cats, cats_in_disorder, monkeypatch):
    whole = _listed(catalogue, cats, Order.NAME)

    def sorted_slowly(*arguments):
        ids = orders.ids_by_name(*arguments)
        catalogue.images.delete(cats.id, ids)
        return ids

    monkeypatch.setattr("bento_service.catalogue.images.images.ids_by_name", sorted_slowly)
    assert [
        image.id for image in catalogue.images.page(cats.id, order=Order.NAME, limit=9)
    ] == whole
    assert catalogue.images.count(cats.id) == 0


def test_too_many_images_are_not_sorted_by_name(catalogue, cats, cats_in_disorder, monkeypatch):
    monkeypatch.setattr(orders, "MAX_BY_NAME", len(NAMES) - 1)
    with pytest.raises(InvalidArgument, match="at most 6 images"):
        catalogue.images.page(cats.id, order=Order.NAME, after=None, limit=1)
    only = catalogue.images.page(cats.id, order=Order.NAME, after=None, limit=9, prefix="a/")
    assert [image.id for image in only] == [cats_in_disorder["a/Kit.jpg"]]
