import os

import pytest

from model_build.errors import EvaluationError
from model_build.evaluation.folders import labelled, labelled_folders, pictures_in


@pytest.fixture
def tree(tmp_path):
    """Make files, all of them empty, and return the folder."""

    def make(*names):
        for name in names:
            file = tmp_path / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.touch()
        return tmp_path

    return make


def names(folder, pictures):
    return [path.relative_to(folder).as_posix() for path in pictures]


def relevant_names(folder, protocol):
    """Return the names of the relevant pictures by the name of the query."""
    name = [picture.path.relative_to(folder).as_posix() for picture in protocol.pictures]
    return {
        name[question.query]: {name[place] for place in question.relevant}
        for question in protocol.questions
    }


def test_pictures_are_known_by_the_ends_of_their_names_and_sorted(tree):
    folder = tree("b/2.JPG", "b/1.png", "a/x.webp", "LICENSE", "b/notes.txt", "b/.hidden.jpg")
    assert names(folder, pictures_in([folder])) == ["a/x.webp", "b/1.png", "b/2.JPG"]


def test_hidden_folders_are_left_alone(tree):
    folder = tree("a/1.png", ".thumbnails/a/1.png")
    assert names(folder, pictures_in([folder])) == ["a/1.png"]


def test_the_folder_that_holds_a_picture_is_its_label(tree):
    folder = tree("hat/1.png", "hat/2.png", "skirt/1.png", "skirt/2.png", "skirt/3.png")
    assert relevant_names(folder, labelled_folders([folder])) == {
        "hat/1.png": {"hat/2.png"},
        "hat/2.png": {"hat/1.png"},
        "skirt/1.png": {"skirt/2.png", "skirt/3.png"},
        "skirt/2.png": {"skirt/1.png", "skirt/3.png"},
        "skirt/3.png": {"skirt/1.png", "skirt/2.png"},
    }


def test_folders_of_one_name_at_different_places_are_different_labels(tree):
    folder = tree("juice/apple/1.png", "juice/apple/2.png", "fruit/apple/3.png")
    protocol = labelled_folders([folder])
    assert relevant_names(folder, protocol) == {
        "juice/apple/1.png": {"juice/apple/2.png"},
        "juice/apple/2.png": {"juice/apple/1.png"},
    }
    assert protocol.skipped == 1
    assert dict(protocol.facts) == {"labels": 2}


def test_upper_levels_of_the_path_can_be_the_label(tree):
    folder = tree("fruit/apple/1.png", "fruit/pear/2.png", "juice/apple/3.png", "juice/4.png")
    assert relevant_names(folder, labelled_folders([folder], label_depth=1)) == {
        "fruit/apple/1.png": {"fruit/pear/2.png"},
        "fruit/pear/2.png": {"fruit/apple/1.png"},
        "juice/apple/3.png": {"juice/4.png"},
        "juice/4.png": {"juice/apple/3.png"},
    }


def test_a_label_is_the_path_below_the_given_folder_so_that_two_parts_can_share_labels(tree):
    folder = tree("train/hat/1.png", "train/shoes/2.png", "validation/hat/3.png")
    protocol = labelled_folders([folder / "train", folder / "validation"])
    assert relevant_names(folder, protocol) == {
        "train/hat/1.png": {"validation/hat/3.png"},
        "validation/hat/3.png": {"train/hat/1.png"},
    }


def test_every_picture_is_searched_and_left_out_of_its_own_ranking(tree):
    protocol = labelled_folders([tree("a/1.png", "a/2.png", "b/3.png")])
    assert protocol.gallery == (0, 1, 2)
    assert all(question.left_out == {question.query} for question in protocol.questions)
    assert len({question.unit for question in protocol.questions}) == 2


def test_a_folder_without_pictures_is_rejected_with_the_endings_of_pictures(tree):
    with pytest.raises(EvaluationError, match=r"holds no picture; .* \.jpg"):
        labelled_folders([tree("a/notes.txt")])


def test_one_label_for_all_says_nothing(tree):
    with pytest.raises(EvaluationError, match="all 2 pictures have one label"):
        labelled_folders([tree("1.png", "2.png")])


def test_no_pictures_say_nothing_either():
    with pytest.raises(EvaluationError, match="all 0 pictures"):
        labelled("nothing", [], [])


def test_something_else_than_a_folder_is_refused(tree):
    with pytest.raises(EvaluationError, match=r"1\.png is not a folder"):
        pictures_in([tree("1.png") / "1.png"])
    with pytest.raises(EvaluationError, match="nowhere is not a folder"):
        pictures_in([tree() / "nowhere"])


def test_a_folder_within_another_one_is_refused(tree):
    folder = tree("a/1.png", "b/2.png")
    with pytest.raises(EvaluationError, match="a lies in another one"):
        pictures_in([folder, folder / "a"])
    with pytest.raises(EvaluationError, match="lies in another one"):
        pictures_in([folder, folder])
    assert len(pictures_in([folder / "a", folder / "b"])) == 2


def test_a_folder_that_may_not_be_listed_is_not_taken_for_empty(tree, monkeypatch):
    folder = tree("a/1.png", "b/2.png")
    listed = os.scandir

    def refusing(path):
        if str(path).endswith("b"):
            raise PermissionError(13, "Permission denied", path)
        return listed(path)

    monkeypatch.setattr(os, "scandir", refusing)
    with pytest.raises(PermissionError):
        pictures_in([folder])
