"""The order in which senders of expensive pictures take turns."""

import threading
from contextlib import ExitStack

import pytest

from bento_service.errors import NotReady, Overloaded
from bento_service.pictures.decoders.fair_turns import Turns
from tests.support.waiting import join, wait_until


class Sender(threading.Thread):
    """Waits for a place, notes its name, and keeps the place until it is released."""

    def __init__(self, turns, name, served):
        super().__init__(daemon=True)
        self._turns, self._sender, self._served = turns, name, served
        self.may_go = threading.Event()
        self.refusal = None

    def run(self):
        try:
            with self._turns.turn(self._sender, seconds=60):
                self._served.append(self._sender)
                assert self.may_go.wait(60)
        except (NotReady, Overloaded) as error:
            self.refusal = error

    def queued(self):
        """Start it, and wait until it has its place in the queue."""
        before = self._turns.number
        self.start()
        wait_until(lambda: self._turns.number > before, pause=0.001)
        return self


def test_the_sender_with_the_fewest_places_is_next():
    turns, served = Turns(4), []
    held = [Sender(turns, name, served).queued() for name in "abbd"]
    wait_until(lambda: len(served) == 4, pause=0.001)
    waiting = {name: Sender(turns, name, served).queued() for name in "bac"}
    for leaving in (held[3], waiting["c"], waiting["a"], waiting["b"], *held[:3]):
        leaving.may_go.set()
        join(leaving)
    assert served[4:] == ["c", "a", "b"]


@pytest.mark.parametrize("sender", ["a", None])
def test_nobody_fills_all_places(sender):
    turns = Turns(3)
    with ExitStack() as held:
        for _ in range(2):
            held.enter_context(turns.turn(sender, seconds=0))
        with pytest.raises(Overloaded, match="try again"):
            held.enter_context(turns.turn(sender, seconds=0))
        held.enter_context(turns.turn("another", seconds=0))
    with turns.turn(sender, seconds=0):
        assert turns.number == 1


def test_every_sender_may_have_the_only_place():
    turns = Turns(1)
    with turns.turn("a", seconds=0), pytest.raises(Overloaded), turns.turn("b", seconds=0):
        pass
    with turns.turn("b", seconds=0):
        pass


def test_some_requests_of_a_sender_may_wait_and_all_of_a_job():
    turns, served = Turns(1), []
    senders = [Sender(turns, "a", served).queued() for _ in range(8)]
    with pytest.raises(Overloaded, match="try again"), turns.turn("a", seconds=60):
        pass
    others = [Sender(turns, name, served).queued() for name in ("b", *[None] * 20)]
    turns.close()
    for sender in (*senders[1:], *others):
        join(sender)
        assert isinstance(sender.refusal, NotReady)
    senders[0].may_go.set()
    join(senders[0])
    assert served == ["a"]


def test_a_picture_that_fails_gives_its_place_back():
    turns = Turns(1)
    with pytest.raises(ZeroDivisionError), turns.turn("a", seconds=0):
        raise ZeroDivisionError
    with turns.turn("b", seconds=0):
        pass
