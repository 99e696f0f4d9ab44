"""Pictures that bite: whatever one does to its decoder, only its own caller learns of it."""

import os
import re
import signal
import threading
from pathlib import Path

import numpy as np
import pytest

from bento_service.errors import (
    ImageTooExpensive,
    ImageUnreadable,
    LookalikeError,
    NotReady,
    TooLarge,
)
from bento_service.pictures.in_process import decode
from tests.pictures.decoders.conftest import MIB, assert_answers, lost
from tests.support import bombs
from tests.support.processes import is_gone, processor_ticks
from tests.support.waiting import join, run_threads, running, wait_until


def highest_memory():
    """Return the peak memory of this process, in bytes."""
    status = Path("/proc/self/status").read_text()
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    assert found
    return int(found[1]) * 1024


def begun(decoders, data, sender=None):
    """Decode in a thread; return the thread, its results and the decoder once that is at work."""
    caught = []
    decoders.slow.start()
    (pid,) = decoders.slow.pids
    at_rest = processor_ticks(pid)

    def ask():
        try:
            caught.append(decoders.decode(data, side=16, sender=sender))
        except LookalikeError as error:
            caught.append(error)

    thread = threading.Thread(target=ask)
    thread.start()

    def is_at_work():
        assert thread.is_alive(), caught
        return processor_ticks(pid) > at_rest + 2

    wait_until(is_at_work)
    return thread, caught, pid


@pytest.mark.parametrize("name", ["flat_webp", "flat_avif"])
class TestMuchMemory:
    def test_a_small_file_with_too_many_pixels_is_refused_by_its_header(
        self, name, opened, request, good
    ):
        decoders = opened(max_pixels=10_000_000, memory_bytes=300 * MIB)
        with pytest.raises(TooLarge, match="at most 10000000"):
            decoders.decode(request.getfixturevalue(name), side=16)
        assert_answers(decoders, good)
        assert sum(decoders.replaced.values()) == 0

    @pytest.mark.parametrize("mebibytes", [100, 300])
    def test_one_that_takes_more_memory_than_it_may_is_refused(
        self, name, mebibytes, opened, request, good
    ):
        decoders = opened(memory_bytes=mebibytes * MIB)
        data, before = request.getfixturevalue(name), highest_memory()
        for ask in (decoders.decode, decoders.thumbnail):
            # Some libraries say of themselves only that they failed.
            with pytest.raises((ImageTooExpensive, ImageUnreadable)):
                ask(data, side=16)
            assert_answers(decoders, good)
        assert highest_memory() - before < 30 * MIB

    def test_with_the_memory_of_the_rule_it_is_read(self, name, opened, request):
        picture = opened().decode(request.getfixturevalue(name), side=16)
        assert picture.width * picture.height > 47_000_000
        assert np.abs(picture.pixels.astype(int) - 9).max() <= 2


def test_a_decoder_that_had_too_little_memory_is_replaced(opened, good, flat_webp):
    decoders = opened(memory_bytes=600 * MIB)
    with pytest.raises(ImageTooExpensive, match="scale it down"):
        decoders.decode(flat_webp, side=16)
    assert decoders.replaced == lost(memory=1)
    assert decoders.slow.pids == ()
    assert_answers(decoders, good)


def test_a_jpeg_of_very_many_scans_is_given_up(opened, good, scan_bomb):
    decoders = opened(seconds=0.3)
    for ask in (decoders.decode, decoders.thumbnail):
        with pytest.raises(ImageTooExpensive, match="save it again"):
            ask(scan_bomb, side=16)
        assert_answers(decoders, good)
    assert decoders.replaced == lost(time=2)


def test_the_time_of_one_picture_is_not_counted_for_the_next(opened, encoded):
    seconds = 0.2  # of which one of these pictures takes a small part on any machine
    decoders = opened(seconds=seconds, count=1)
    data = encoded("PNG", (600, 400))
    (pid,) = decoders.pids
    at_rest = processor_ticks(pid)
    enough = 3 * seconds * os.sysconf("SC_CLK_TCK")

    def has_used_more_than_one_picture_may():
        decoders.decode(data, side=16)
        assert decoders.pids == (pid,)
        return processor_ticks(pid) - at_rest > enough

    wait_until(has_used_more_than_one_picture_may, pause=0)
    assert decoders.replaced == lost()


def test_a_decoder_that_hangs_without_working_is_given_up(opened, good):
    decoders = opened(seconds=60, count=1, limits_by_clock={"job_factor": 0.1})
    (pid,) = decoders.pids
    os.kill(pid, signal.SIGSTOP)
    with pytest.raises(ImageTooExpensive, match="longer"):
        decoders.decode(good[0], side=16)
    assert_answers(decoders, good)
    assert decoders.replaced == lost(clock=1)
    assert not Path(f"/proc/{pid}").exists()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT])
def test_a_decoder_that_dies_in_the_middle_fails_its_own_picture_alone(
    opened, good, scan_bomb, number
):
    decoders = opened()
    thread, caught, pid = begun(decoders, scan_bomb)
    os.kill(pid, number)
    assert_answers(decoders, good)
    join(thread)
    assert [type(one) for one in caught] == [ImageUnreadable]
    assert "save it again" in str(caught[0])
    assert decoders.replaced == lost(died=1)


def test_a_decoder_that_died_while_nobody_asked_fails_no_picture(opened, good):
    decoders = opened(count=1)
    for _ in range(3):
        (pid,) = decoders.pids
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda pid=pid: is_gone(pid))
        assert_answers(decoders, good)
    assert decoders.replaced == lost(died=3)


def test_callers_that_come_at_once_get_a_decoder_each(opened, good):
    decoders = opened(count=6)
    together, wrong = threading.Barrier(6), []

    def ask():
        together.wait(60)
        try:
            assert_answers(decoders, good)
        except (AssertionError, LookupError, LookalikeError) as error:
            wrong.append(error)

    run_threads(*(threading.Thread(target=ask) for _ in range(6)))
    assert wrong == []
    assert 1 <= len(decoders.pids) <= 6


def test_quick_pictures_never_wait_for_expensive_ones(opened, good, scan_bomb):
    decoders = opened(count=1)
    thread, caught, pid = begun(decoders, scan_bomb)
    for _ in range(5):
        assert_answers(decoders, good)
    assert caught == []
    os.kill(pid, signal.SIGKILL)
    join(thread)


def test_a_large_picture_is_recognised_by_its_header(opened, encoded):
    decoders = opened(count=1)
    data = encoded("PNG", (2000, 1600))
    expected = decode(data, side=16, max_pixels=10**7).pixels
    assert np.array_equal(decoders.decode(data, side=16).pixels, expected)
    assert (len(decoders.quick.pids), len(decoders.slow.pids)) == (1, 1)
    assert decoders.replaced == lost()


def test_a_picture_that_turns_out_to_be_expensive_is_read_all_the_same(opened):
    decoders = opened(count=1)
    data = bombs.many_scans((3500, 3500), 200)
    assert np.abs(decoders.decode(data, side=16).pixels.astype(int) - 9).max() <= 2
    assert decoders.replaced == lost(slow=1)


def test_one_sender_leaves_a_decoder_to_others(opened, encoded, scan_bomb):
    decoders = opened(count=2)
    thread, _, pid = begun(decoders, scan_bomb, sender="a")
    second = threading.Thread(target=lambda: decoders.decode(large, side=16, sender="a"))
    large = encoded("PNG", (2000, 1600))
    second.start()
    assert decoders.decode(large, side=16, sender="b").width == 2000
    assert second.is_alive()
    os.kill(pid, signal.SIGKILL)
    join(thread, second)


def test_the_next_decoder_is_there_before_it_is_needed(opened, good):
    decoders = opened(count=3)
    assert_answers(decoders, good)
    wait_until(lambda: len(decoders.quick.pids) == 2)


def test_others_are_answered_while_bombs_come_in(opened, good, scan_bomb, flat_webp):
    decoders = opened(count=3, seconds=0.3, memory_bytes=300 * MIB)
    ended = threading.Event()
    refused, wrong = [], []

    def attack(data):
        while not ended.is_set():
            try:
                decoders.decode(data, side=16)
            except (ImageTooExpensive, ImageUnreadable) as error:
                refused.append(error)

    def ask():
        for _ in range(25):
            try:
                assert_answers(decoders, good)
            except (AssertionError, LookalikeError) as error:
                wrong.append(error)

    attackers = [
        threading.Thread(target=attack, args=(data,)) for data in (scan_bomb, scan_bomb, flat_webp)
    ]
    callers = [threading.Thread(target=ask) for _ in range(4)]
    with running(*attackers, stop=ended.set):
        run_threads(*callers)
        wait_until(lambda: decoders.replaced["time"] >= 1)
    assert wrong == []
    assert refused


def test_a_stop_does_not_wait_for_a_bomb(opened, scan_bomb):
    decoders = opened()
    thread, caught, pid = begun(decoders, scan_bomb)
    decoders.__exit__(None, None, None)
    join(thread)
    assert [type(one) for one in caught] == [NotReady]
    assert decoders.pids == ()
    assert not Path(f"/proc/{pid}").exists()
