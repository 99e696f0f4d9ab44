"""Progress lines of a job, in a terminal and in a log."""

import io

import pytest

from client_sdk._progress import Progress
from tests.support.clock import Clock


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def shown(job):
    """Return the text that a stream gets for states of a job, three seconds apart."""

    def shown(stream, *looks):
        clock = Clock()
        progress = Progress(stream, clock)
        for changes in looks:
            progress(job(**changes))
            clock.now += 3.0
        progress.end()
        return stream.getvalue()

    return shown


def test_a_terminal_shows_one_line_that_is_updated(shown):
    halfway = {"state": "in_progress", "done": 2, "images_per_second": 4.0, "eta_seconds": 0.6}
    assert shown(Terminal(), {"state": "pending", "done": 0}, halfway, {}) == (
        "\rpending: 0 of 4\x1b[K\rin_progress: 2 of 4, 4.0 images/s, about 1 s left\x1b[K"
        "\rcompleted: 4 of 4\x1b[K\n"
    )


def test_a_log_shows_a_line_every_few_seconds_and_the_last_one(shown):
    looks = [{"state": "in_progress", "done": done} for done in range(4)]
    assert shown(io.StringIO(), *looks) == (
        "in_progress: 0 of 4\nin_progress: 2 of 4\nin_progress: 3 of 4\n"
    )
    assert shown(io.StringIO(), *looks[:3], {}) == (
        "in_progress: 0 of 4\nin_progress: 2 of 4\ncompleted: 4 of 4\n"
    )


def test_a_log_has_no_line_before_the_first_file_is_found(shown):
    listing = {"state": "in_progress", "done": 0, "total": 0}
    assert shown(io.StringIO(), listing, listing, {}) == "completed: 4 of 4\n"
    assert shown(io.StringIO(), listing, {"done": 0, "total": 0}) == "completed: 0 of 0\n"
    assert shown(Terminal(), listing) == "\rin_progress: 0 of 0\x1b[K\n"


def test_a_repeated_line_is_not_shown(shown):
    assert shown(io.StringIO(), {}, {}, {}) == "completed: 4 of 4\n"
    assert shown(Terminal(), {}, {}) == "\rcompleted: 4 of 4\x1b[K\n"
    assert shown(io.StringIO()) == shown(Terminal()) == ""
