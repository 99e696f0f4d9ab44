"""The lines that tell of the progress of a job, in a terminal and in a log."""

import io

import httpx
import pytest

from client_sdk._progress import Progress

ERROR = {"source": "bad.jpg", "code": "image_unreadable", "detail": "truncated"}


class Terminal(io.StringIO):
    def isatty(self):
        return True


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def shown(job):
    """What a stream gets of looks at a job, three seconds apart."""

    def shown(stream, *looks):
        clock = Clock()
        progress = Progress(stream, clock)
        for changes in looks:
            progress(job(**changes))
            clock.now += 3.0
        progress.end()
        return stream.getvalue()

    return shown


def test_a_terminal_gets_one_line_that_changes(shown):
    halfway = {"state": "in_progress", "done": 2, "images_per_second": 4.0, "eta_seconds": 0.6}
    assert shown(Terminal(), {"state": "pending", "done": 0}, halfway, {}) == (
        "\rpending: 0 of 4\x1b[K\rin_progress: 2 of 4, 4.0 images/s, about 1 s left\x1b[K"
        "\rcompleted: 4 of 4\x1b[K\n"
    )


def test_a_log_gets_a_line_now_and_then_and_always_the_last(shown):
    looks = [{"state": "in_progress", "done": done} for done in range(4)]
    assert shown(io.StringIO(), *looks) == (
        "in_progress: 0 of 4\nin_progress: 2 of 4\nin_progress: 3 of 4\n"
    )
    assert shown(io.StringIO(), *looks[:3], {}) == (
        "in_progress: 0 of 4\nin_progress: 2 of 4\ncompleted: 4 of 4\n"
    )


def test_nothing_is_said_twice(shown):
    assert shown(io.StringIO(), {}, {}, {}) == "completed: 4 of 4\n"
    assert shown(Terminal(), {}, {}) == "\rcompleted: 4 of 4\x1b[K\n"
    assert shown(io.StringIO()) == shown(Terminal()) == ""


def test_a_wait_with_progress_ends_on_the_last_state(service, ask, handle, job_body, capsys):
    looks = [{"state": "in_progress", "done": 0, "errors": [ERROR]}, {}]
    answers = service(*[httpx.Response(200, json=job_body(**one)) for one in looks])
    ask(answers, lambda client: handle(client).wait(interval=0.001, progress=True))
    assert capsys.readouterr().err == "in_progress: 0 of 4\ncompleted: 4 of 4\n"
