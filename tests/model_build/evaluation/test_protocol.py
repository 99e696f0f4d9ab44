from pathlib import Path

import numpy as np

from model_build.evaluation.protocol import Picture, Protocol, Question


def test_queries_without_a_relevant_picture_are_skipped_and_counted(asked):
    protocol = asked({0: {1}, 1: {0}, 2: set(), 3: set()}, 4)
    assert [question.query for question in protocol.questions] == [0, 1]
    assert protocol.skipped == 2


def test_the_gallery_tells_which_of_its_pictures_are_meant():
    protocol = Protocol("test", (), gallery=(5, 2, 9), questions=(), skipped=0)
    np.testing.assert_array_equal(protocol.among_gallery({9, 5, 7}), [True, False, True])
    np.testing.assert_array_equal(protocol.among_gallery(set()), [False, False, False])


def test_an_unreadable_picture_is_no_longer_searched_nor_wanted_nor_asked_for(asked):
    whole = asked({0: {1, 2}, 1: {0, 2}, 2: {0, 1}}, 4)
    rest = whole.without({2})
    assert rest.gallery == (0, 1, 3)
    assert [(one.query, one.relevant) for one in rest.questions] == [(0, {1}), (1, {0})]
    assert rest.skipped == 0
    assert whole.gallery == (0, 1, 2, 3)


def test_a_query_whose_only_answer_is_unreadable_is_skipped(asked):
    rest = asked({0: {1}, 1: {0}, 2: {3}, 3: {2}}, 4).without({1})
    assert [question.query for question in rest.questions] == [2, 3]
    assert rest.skipped == 1  # 0 has lost its answer; 1 could not be asked


def test_without_nothing_it_stays_as_it_is(asked):
    protocol = asked({0: {1}, 1: {0}}, 3)
    assert protocol.without(()) == protocol


def test_the_content_of_a_picture_is_its_file_or_what_is_made_of_it(tmp_path):
    file = tmp_path / "a.png"
    file.write_bytes(b"abc")
    assert Picture(file).content() == b"abc"
    assert Picture(file, changed=lambda content: content[::-1]).content() == b"cba"


def test_a_question_is_of_no_edit_unless_it_says_so():
    assert not Question(0, frozenset({1}), frozenset(), unit=0).edit
    assert Picture(Path("a.png")).region is None
