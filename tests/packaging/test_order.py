"""A file that was renamed would silently run last."""

from tests.support.order import LONGEST, TESTS


def test_every_file_that_runs_first_is_there():
    assert [name for name in LONGEST if not (TESTS / name).is_file()] == []
    assert len(set(LONGEST)) == len(LONGEST)
