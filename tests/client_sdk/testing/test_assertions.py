"""The assertions as functions, against a real service."""

import errno
import re
import shutil
from contextlib import closing
from pathlib import Path

import pytest
from PIL import Image

from client_sdk import Client
from client_sdk.errors import UsageError
from client_sdk.testing import (
    Options,
    ScratchCollection,
    Visual,
    VisualMismatch,
    assert_known,
    assert_looks_like,
    assert_nearest,
    assert_new,
    assert_no_duplicates,
    assert_similar,
)
from client_sdk.testing.likely import BaselineNeighbours


@pytest.fixture(scope="module")
def client(server):
    with Client(server.url) as client:
        yield client


@pytest.fixture(scope="module")
def shelf(client, photographs):
    """Yield a collection of all photographs but one."""
    with ScratchCollection.create(client, "shelf") as shelf:
        shelf.add(*(path for path in sorted(photographs.iterdir()) if path.stem != "rocket"))
        yield shelf


def test_the_same_picture_is_similar_without_a_service(photographs, free_port):
    with Client(f"http://127.0.0.1:{free_port}") as nobody:
        assert_similar(nobody, photographs / "coffee.jpg", photographs / "coffee.jpg")


def test_a_difference_fails_without_a_service_and_says_that_there_is_no_score(
    photographs, free_port
):
    crossed = Image.open(photographs / "coffee.jpg").copy()
    crossed.paste("black", (20, 20, 60, 24))
    with (
        Client(f"http://127.0.0.1:{free_port}") as nobody,
        pytest.raises(VisualMismatch, match=r"differs from .* in 1 place") as failure,
    ):
        assert_similar(nobody, crossed, Image.open(photographs / "coffee.jpg"))
    assert failure.value.score is None
    assert "there is no score: cannot reach" in str(failure.value)


def test_a_high_score_does_not_excuse_a_difference(client, photographs):
    crossed = Image.open(photographs / "coffee.jpg").copy()
    crossed.paste("black", (20, 20, 60, 24))
    with pytest.raises(VisualMismatch, match="differs from") as failure:
        assert_similar(client, crossed, Image.open(photographs / "coffee.jpg"))
    (outcome,) = failure.value.outcomes
    assert outcome.score > 0.99
    assert (outcome.threshold, outcome.verdict) == (None, None)
    assert "duplicate" not in str(failure.value)
    assert set(failure.value.pictures) == {"actual", "expected", "diff"}
    assert failure.value.artefacts is None


def test_another_size_fails_with_both_sizes_and_the_scale(client, photographs):
    photograph = Image.open(photographs / "coffee.jpg")
    width, height = photograph.size
    sizes = f"{2 * width} x {2 * height} pixels, .* has {width} x {height}; the scale is 2"
    with pytest.raises(VisualMismatch, match=sizes):
        assert_similar(client, photograph.resize((2 * width, 2 * height)), photograph)


def test_looks_like_accepts_other_sizes(client, photographs):
    photograph = Image.open(photographs / "coffee.jpg")
    half = photograph.resize((photograph.width // 2, photograph.height // 2))
    assert assert_looks_like(client, half, photograph) > 0.99
    with pytest.raises(VisualMismatch, match="does not look like") as failure:
        assert_looks_like(client, half, photographs / "chelsea.jpg")
    assert failure.value.score < failure.value.threshold == 0.99
    assert f"the picture has {half.width} x {half.height} pixels" in str(failure.value)
    assert "verdict" not in str(failure.value)


def test_a_score_just_below_the_threshold_is_shown_with_more_digits(client, photographs):
    one, other = photographs / "coffee.jpg", photographs / "chelsea.jpg"
    wanted = client.compare(one, other).score + 0.000004
    with pytest.raises(VisualMismatch) as failure:
        assert_looks_like(client, one, other, min_score=wanted)
    numbers = re.search(r"score +(\S+), required: at least (\S+)", str(failure.value))
    shown, wanted = numbers.groups()
    assert shown != wanted


def test_the_nearest_image_may_be_a_name_a_stem_an_id_or_several(client, shelf, photographs):
    picture = photographs / "chelsea.jpg"
    (number,) = [one.id for one in client.images(collection=shelf) if one.name == "chelsea.jpg"]
    for expected in ("chelsea.jpg", "chelsea", number, ["coffee", "chelsea"]):
        assert_nearest(client, picture, expected, margin=0.1, collection=shelf)


def test_a_margin_that_is_too_small_fails(client, shelf, photographs):
    with pytest.raises(VisualMismatch, match="is within the margin") as failure:
        assert_nearest(client, photographs / "chelsea.jpg", "chelsea", margin=0.9, collection=shelf)
    (outcome,) = failure.value.outcomes
    assert 0 < outcome.margin < 0.9 == outcome.min_margin
    assert outcome.nearest[0].name == "chelsea.jpg"
    assert len(outcome.nearest) == 3


def test_an_unknown_expected_image_fails(client, shelf, photographs):
    with pytest.raises(VisualMismatch, match="'rocket' is not among"):
        assert_nearest(client, photographs / "chelsea.jpg", "rocket", collection=shelf)


def test_a_picture_is_known_or_new(client, shelf, photographs):
    assert_known(client, photographs / "coffee.jpg", shelf)
    assert_new(client, photographs / "rocket.jpg", shelf)
    with pytest.raises(VisualMismatch, match=r"coffee\.jpg is known in test-shelf"):
        assert_new(client, photographs / "coffee.jpg", shelf)
    with pytest.raises(VisualMismatch, match=r"rocket\.jpg is new in test-shelf"):
        assert_known(client, photographs / "rocket.jpg", shelf)


def test_a_given_min_score_decides(client, shelf, photographs):
    assert_known(client, photographs / "rocket.jpg", shelf, min_score=-1.0)
    assert_new(client, photographs / "rocket.jpg", shelf, min_score=0.9999)


def test_among_may_be_pictures_or_a_folder(client, photographs):
    others = [path for path in photographs.iterdir() if path.stem != "rocket"]
    assert_known(client, photographs / "rocket.jpg", photographs)
    assert_new(client, photographs / "rocket.jpg", others)
    with pytest.raises(VisualMismatch, match="is new among the given pictures"):
        assert_known(client, photographs / "rocket.jpg", others)
    with pytest.raises(VisualMismatch, match=f"is known in {photographs}"):
        assert_new(client, photographs / "rocket.jpg", photographs)


def test_a_folder_of_different_pictures_has_no_duplicates(client, photographs):
    assert_no_duplicates(client, photographs)


def test_every_group_of_duplicates_is_reported(client, photographs, tmp_path):
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


def duplicates_among(client, pictures):
    with pytest.raises(VisualMismatch) as failure:
        assert_no_duplicates(client, pictures)
    ends = " are the same picture, or nearly so"
    return {outcome.reason.removesuffix(ends) for outcome in failure.value.outcomes}


def test_copies_below_a_folder_and_a_picture_like_them_are_one_group(client, photographs, tmp_path):
    (tmp_path / "below").mkdir()
    for name in ("a.jpg", "b.jpg"):
        shutil.copy(photographs / "coffee.jpg", tmp_path / "below" / name)
    Image.open(photographs / "coffee.jpg").save(tmp_path / "start.png")
    assert duplicates_among(client, tmp_path) == {"below/a.jpg, below/b.jpg, start.png"}


@pytest.fixture
def namesakes(photographs, tmp_path):
    """Return a folder with two pairs of copies; the first of each pair has the same name."""
    (tmp_path / "below").mkdir()
    for name in ("a.jpg", "c.jpg"):
        shutil.copy(photographs / "coffee.jpg", tmp_path / name)
    shutil.copy(photographs / "rocket.jpg", tmp_path / "below" / "a.jpg")
    Image.open(photographs / "rocket.jpg").save(tmp_path / "z.png")
    return tmp_path


def test_files_of_one_name_in_two_folders_are_not_mistaken(client, namesakes):
    assert duplicates_among(client, namesakes) == {"a.jpg, c.jpg", "below/a.jpg, z.png"}
    paths = [namesakes / name for name in ("a.jpg", "below/a.jpg", "c.jpg", "z.png")]
    assert duplicates_among(client, paths) == {"a.jpg, c.jpg", "a.jpg, z.png"}


def test_equal_files_are_reported_without_a_line_of_pictures(client, photographs, tmp_path):
    cup = (photographs / "coffee.jpg").read_bytes()
    visual = Visual(client, Options(report=tmp_path), keep=True)
    with pytest.raises(VisualMismatch, match="the same bytes") as failure:
        visual.assert_no_duplicates([("one.jpg", cup), ("other.jpg", cup)])
    assert "  pictures" not in str(failure.value)


@pytest.mark.parametrize("names", [["page"], ["page", "locked"]])
def test_an_unreadable_neighbour_does_not_replace_the_failure(
    client, photographs, tmp_path, monkeypatch, names
):
    for name in names:
        shutil.copy(photographs / "coffee.jpg", tmp_path / f"{name}.jpg")
    read_bytes = Path.read_bytes

    def read_unless_locked(path):
        if path.stem == "locked":
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return read_bytes(path)

    monkeypatch.setattr(Path, "read_bytes", read_unless_locked)
    with closing(BaselineNeighbours(client)) as neighbours:
        visual = Visual(client, Options(baselines=tmp_path), neighbours=neighbours)
        with pytest.raises(VisualMismatch) as failure:
            visual.assert_similar(photographs / "chelsea.jpg", "page.jpg")
    assert [one.name for one in failure.value.nearest] == (["page.jpg"] if len(names) == 1 else [])


@pytest.mark.parametrize("name", ["assert_similar", "assert_looks_like"])
def test_a_missing_baseline_names_the_assertion(name, client, photographs, tmp_path):
    visual = Visual(client, Options(baselines=tmp_path, report=tmp_path), keep=True)
    with pytest.raises(VisualMismatch, match=f"^{name}: there is no baseline") as failure:
        getattr(visual, name)(photographs / "coffee.jpg", "cup.jpg")
    assert "--visual-accept" not in str(failure.value)  # it writes PNG alone


def test_a_folder_without_pictures_is_rejected(client, tmp_path):
    with pytest.raises(UsageError, match="no picture in"):
        assert_no_duplicates(client, tmp_path)


def test_assertions_delete_their_collections(client, photographs):
    assert_new(client, photographs / "rocket.jpg", [photographs / "coffee.jpg"])
    names = [one.name for one in client.collections()]
    assert [name for name in names if name.startswith("test-among")] == []
