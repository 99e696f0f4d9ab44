"""Callers that find all decoders busy are asked to come again."""

import io
import os
import signal
import threading
from contextlib import contextmanager

import pytest

from bento_service.errors import LookalikeError, Overloaded
from tests.pictures.decoders.conftest import assert_answers, lost
from tests.support.waiting import join, run_threads


@contextmanager
def occupied(decoders, good):
    """Stop the only decoder while a job has it; the job gets its picture after the block."""
    (pid,) = decoders.pids
    os.kill(pid, signal.SIGSTOP)
    picture, is_asked = io.BytesIO(good[0]), threading.Event()
    picture.readinto = lambda room: is_asked.set() or io.BytesIO(good[0]).readinto(room)
    thread = threading.Thread(target=assert_answers, args=(decoders, (picture, good[1])))
    thread.start()
    try:
        assert is_asked.wait(60)
        yield
    finally:
        os.kill(pid, signal.SIGCONT)
    join(thread)


def test_a_caller_without_a_free_decoder_is_asked_to_come_again(opened, good):
    decoders = opened(count=1, limits_by_clock={"free_seconds": 0.1, "job_factor": 1000.0})
    waiting = io.BytesIO(good[0])
    waiting.readinto = lambda _: pytest.fail("a caller that waits for a decoder holds a copy")
    with occupied(decoders, good), pytest.raises(Overloaded, match="all decoders"):
        decoders.decode(waiting, side=16)
    assert_answers(decoders, good)


def test_a_caller_waits_for_a_decoder_no_longer_than_for_its_picture(opened, good):
    long = {"free_seconds": 10_000.0, "job_factor": 10_000.0}
    decoders, caught = opened(count=1, seconds=1, limits_by_clock=long), []

    def ask():
        try:
            decoders.decode(good[0], side=16, sender="a")
        except LookalikeError as error:
            caught.append(error)

    with occupied(decoders, good):
        run_threads(threading.Thread(target=ask))
    assert [type(one) for one in caught] == [Overloaded]
    assert "all decoders" in str(caught[0])
    assert decoders.replaced == lost()


def test_a_caller_does_not_wait_long(opened, good, encoded):
    decoders = opened(seconds=1)
    decoders.slow.start()
    os.kill(*decoders.slow.pids, signal.SIGSTOP)
    with pytest.raises(Overloaded):
        decoders.decode(encoded("PNG", (2000, 1600)), side=16, sender="a")
    assert decoders.replaced == lost(clock=1)
    assert_answers(decoders, good)
