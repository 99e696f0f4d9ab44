import shutil

import pytest

from model_build.errors import EvaluationError
from model_build.evaluation.copies import SAMPLE, copies
from model_build.evaluation.edits import EDITS, edited_copy


@pytest.fixture
def folder(tmp_path, two_colours):
    """Return six pictures and the first one's bytes again."""
    for columns in range(20, 200, 30):
        two_colours(tmp_path / f"{columns:03}.png", columns)
    shutil.copy(tmp_path / "020.png", tmp_path / "again.png")
    return tmp_path


def originals(protocol):
    return {protocol.pictures[one.query].path.name for one in protocol.questions}


def test_every_edit_of_every_original_asks_for_its_original(folder):
    protocol = copies([folder])
    assert len(protocol.questions) == 6 * 24
    for question in protocol.questions:
        (answer,) = question.relevant
        query, original = protocol.pictures[question.query], protocol.pictures[answer]
        assert query.path == original.path
        assert query.content() == edited_copy(original.content(), edit=question.edit, seed=0)
        assert question.left_out == set()
    assert [one.edit for one in protocol.questions[:24]] == list(EDITS)


def test_the_gallery_holds_the_originals_alone_and_the_same_bytes_once(folder):
    protocol = copies([folder])
    searched = [protocol.pictures[place] for place in protocol.gallery]
    assert [one.path.name for one in searched] == [
        f"{columns:03}.png" for columns in range(20, 200, 30)
    ]
    assert all(one.changed is None for one in searched)
    assert dict(protocol.facts) == {"repeated files": 1, "originals": 6, "edits": 24, "seed": 0}


def test_the_copies_of_one_original_are_one_unit(folder):
    units = {}
    for question in copies([folder]).questions:
        units.setdefault(question.unit, set()).update(question.relevant)
    assert len(units) == 6
    assert all(len(answers) == 1 for answers in units.values())


def test_a_sample_is_drawn_by_its_seed(folder):
    drawn = {frozenset(originals(copies([folder], sample=2, seed=seed))) for seed in range(20)}
    assert all(len(one) == 2 for one in drawn)
    assert len(drawn) > 5
    again = [originals(copies([folder], sample=2, seed=4)) for _ in range(2)]
    assert again[0] == again[1]


def test_a_sample_leaves_the_whole_gallery_to_search(folder):
    protocol = copies([folder], sample=2)
    assert len(protocol.gallery) == 6
    assert len(protocol.questions) == 2 * 24


def test_the_seed_reaches_the_edits(folder):
    first, other = (copies([folder], seed=seed).pictures[6 + 6].content() for seed in (0, 1))
    assert first != other


def test_all_are_edited_where_the_sample_is_larger(folder):
    assert SAMPLE > 6
    assert len(originals(copies([folder], sample=1000))) == 6


def test_a_file_that_cannot_be_opened_is_left_to_those_who_describe(folder):
    (folder / "broken.png").symlink_to("nowhere.png")
    (folder / "broken2.png").symlink_to("nowhere.png")
    assert len(copies([folder]).gallery) == 8


def test_a_folder_without_pictures_is_reported(tmp_path):
    with pytest.raises(EvaluationError):
        copies([tmp_path])
