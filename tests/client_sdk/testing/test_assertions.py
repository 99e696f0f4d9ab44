"""The assertions as functions, against a real service."""

import shutil

import pytest
from PIL import Image

from client_sdk import Client
from client_sdk.errors import UsageError
from client_sdk.testing import (
    ScratchCollection,
    VisualMismatch,
    assert_known,
    assert_nearest,
    assert_new,
    assert_no_duplicates,
    assert_similar,
)


@pytest.fixture(scope="module")
def client(server):
    with Client(server.url) as client:
        yield client


@pytest.fixture(scope="module")
def shelf(client, photographs):
    """A collection of all photographs but one."""
    with ScratchCollection.create(client, "shelf") as shelf:
        shelf.add(*(path for path in sorted(photographs.iterdir()) if path.stem != "rocket"))
        yield shelf


def test_the_same_bytes_score_one(client, photographs):
    assert assert_similar(client, photographs / "coffee.jpg", photographs / "coffee.jpg") == 1.0


def test_another_picture_fails_with_what_is_known_about_it(client, photographs):
    with pytest.raises(VisualMismatch, match=r"does not look like chelsea\.jpg") as failure:
        assert_similar(client, photographs / "coffee.jpg", photographs / "chelsea.jpg")
    assert failure.value.score < failure.value.threshold == 0.99
    assert failure.value.verdict == "similar"
    assert set(failure.value.pictures) == {"actual", "expected", "diff"}
    assert failure.value.artefacts is None


def test_the_nearest_image_is_told_by_name_stem_id_or_any_of_them(client, shelf, photographs):
    picture = photographs / "chelsea.jpg"
    (number,) = [one.id for one in client.images(collection=shelf) if one.name == "chelsea.jpg"]
    for expected in ("chelsea.jpg", "chelsea", number, ["coffee", "chelsea"]):
        assert_nearest(client, picture, expected, margin=0.1, collection=shelf)


def test_a_nearest_image_that_is_hardly_ahead_fails_by_its_margin(client, shelf, photographs):
    with pytest.raises(VisualMismatch, match="hardly nearer") as failure:
        assert_nearest(client, photographs / "chelsea.jpg", "chelsea", margin=0.9, collection=shelf)
    (outcome,) = failure.value.outcomes
    assert 0 < outcome.margin < 0.9 == outcome.min_margin
    assert outcome.nearest[0].name == "chelsea.jpg"
    assert len(outcome.nearest) == 3


def test_an_image_that_is_not_there_cannot_be_the_nearest(client, shelf, photographs):
    with pytest.raises(VisualMismatch, match="'rocket' is not among"):
        assert_nearest(client, photographs / "chelsea.jpg", "rocket", collection=shelf)


def test_a_picture_is_known_or_new(client, shelf, photographs):
    assert_known(client, photographs / "coffee.jpg", shelf)
    assert_new(client, photographs / "rocket.jpg", shelf)
    with pytest.raises(VisualMismatch, match=r"coffee\.jpg is known in"):
        assert_new(client, photographs / "coffee.jpg", shelf)
    with pytest.raises(VisualMismatch, match=r"rocket\.jpg is new in"):
        assert_known(client, photographs / "rocket.jpg", shelf)


def test_a_score_decides_where_one_is_given(client, shelf, photographs):
    assert_known(client, photographs / "rocket.jpg", shelf, min_score=-1.0)
    assert_new(client, photographs / "rocket.jpg", shelf, min_score=0.9999)


def test_pictures_and_folders_are_asked_as_well(client, photographs):
    others = [path for path in photographs.iterdir() if path.stem != "rocket"]
    assert_known(client, photographs / "rocket.jpg", photographs)
    assert_new(client, photographs / "rocket.jpg", others)


def test_a_folder_of_different_pictures_has_no_duplicates(client, photographs):
    assert_no_duplicates(client, photographs)


def test_every_group_of_duplicates_is_told(client, photographs, tmp_path):
    folder = tmp_path / "folder"
    shutil.copytree(photographs, folder)
    (folder / "below").mkdir()
    shutil.copy(folder / "coffee.jpg", folder / "below" / "cup.jpg")
    Image.open(folder / "rocket.jpg").save(folder / "start.png")

    with pytest.raises(VisualMismatch, match="2 visual assertions failed") as failure:
        assert_no_duplicates(client, folder)

    reasons = " ".join(outcome.reason for outcome in failure.value.outcomes)
    for name in ("coffee.jpg", "below/cup.jpg", "rocket.jpg", "start.png"):
        assert name in reasons
    assert "chelsea.jpg" not in reasons


def test_a_folder_without_pictures_is_refused(client, tmp_path):
    with pytest.raises(UsageError, match="no picture in"):
        assert_no_duplicates(client, tmp_path)


def test_questions_leave_no_collection_behind(client, photographs):
    assert_new(client, photographs / "rocket.jpg", [photographs / "coffee.jpg"])
    names = [one.name for one in client.collections()]
    assert [name for name in names if name.startswith("test-among")] == []
