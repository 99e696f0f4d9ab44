"""The names of baselines."""

from pathlib import Path

import pytest

from client_sdk.testing.baselines import Place, distinct

LONG = "https://shop.example/" + "a" * 100


def test_a_simple_test_keeps_a_readable_name():
    assert distinct("test_page") == "test_page"
    assert distinct("test_page[dark-2]") == "test_page-dark-2"


@pytest.mark.parametrize(
    "ids",
    [
        ("100%", "100"),
        ("/shop", "/shop/", "shop"),
        ("+1", "1", "-1"),
        (f"{LONG}/1", f"{LONG}/2"),
        ("A", "a"),
        ("a b", "a-b", "a_b"),
        ("", "picture", "é", "e"),
        (".", "..", "a.", "a"),
    ],
)
def test_different_tests_have_different_files(ids):
    names = [distinct(f"test_page[{one}]") for one in ids]
    assert len({name.lower() for name in names}) == len(ids)
    assert all(len(name) < 120 and "/" not in name for name in names)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("TestCart::test_x", "TestCart-test_x"),
        ("TestCart::test_x", "testcart::test_x"),
        ("test_a[b-c]", "test_a[b][c]"),
    ],
)
def test_a_class_and_a_parameter_give_different_names(one, other):
    assert distinct(one).lower() != distinct(other).lower()


def test_test_files_of_one_name_share_no_baseline(tmp_path):
    places = [
        Place.of(tmp_path / folder / "test_page.py", "", "test_x", tmp_path / "looks", tmp_path)
        for folder in ("a", "b")
    ]
    assert [place.own_name for place in places] == ["a/test_page/test_x", "b/test_page/test_x"]


def test_baselines_next_to_a_test_are_in_the_folder_of_its_file(tmp_path):
    place = Place.of(tmp_path / "a" / "test_page.py", "", "test_x", Path("__visual__"), tmp_path)
    assert (place.folder, place.own_name) == (tmp_path / "a", "test_page/test_x")
