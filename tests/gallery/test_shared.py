"""Searches that share calls, with calls that end when the test says so."""

import threading

import numpy as np
import pytest

from bento_service.errors import IndexUnavailable
from bento_service.gallery.shared import SharedSearches
from tests.support.waiting import run_threads, wait_until

PATIENCE = 20.0


class Calls:
    """A stand-in for Milvus: every call waits for `end`; the hits of a query are its double."""

    def __init__(self, *, waits=True):
        self.made = []
        self._waits = waits
        self._changed = threading.Condition()
        self._ends = []

    def ask(self, queries, seconds):
        with self._changed:
            number = len(self.made)
            self.made.append([int(query[0]) for query in queries])
            self._changed.notify_all()
            if self._waits and not self._changed.wait_for(
                lambda: number < len(self._ends), seconds
            ):
                raise IndexUnavailable("the time is over")
        if self._waits and self._ends[number] is not None:
            raise self._ends[number]
        return [2 * int(query[0]) for query in queries]

    def end(self, error=None):
        """Let the oldest call go that is not yet."""
        with self._changed:
            self._ends.append(error)
            self._changed.notify_all()

    def wait_for(self, number):
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.made) == number, PATIENCE)


class Callers:
    """Threads that search, and what became of each."""

    def __init__(self, shared, calls):
        self._shared = shared
        self._calls = calls
        self._threads = []
        self.answers = {}

    def start(self, *numbers, kind="cats"):
        for number in numbers:
            thread = threading.Thread(target=self._search, args=(number, kind))
            thread.start()
            self._threads.append(thread)

    def start_one_by_one(self, *numbers, kind="cats"):
        line = self._shared._queues[kind]
        for number in numbers:
            waiting = len(line.waiting)
            self.start(number, kind=kind)
            wait_until(lambda before=waiting: len(line.waiting) == before + 1)

    def _search(self, number, kind):
        try:
            query = np.array([number], np.float32)
            self.answers[number] = self._shared.search(kind, query, self._calls.ask)
        except (IndexUnavailable, ValueError) as error:
            self.answers[number] = error

    def finish(self):
        for thread in self._threads:
            thread.join(PATIENCE)
            assert not thread.is_alive()
        return self.answers


@pytest.fixture
def calls():
    return Calls()


@pytest.fixture
def callers(calls):
    return Callers(SharedSearches(PATIENCE), calls)


def test_a_single_caller_searches_at_once():
    calls = Calls(waits=False)
    callers = Callers(SharedSearches(PATIENCE), calls)
    for number in range(3):
        callers.start(number)
        callers.finish()
    assert calls.made == [[0], [1], [2]]
    assert callers.answers == {0: 0, 1: 2, 2: 4}


def test_callers_during_a_call_share_the_next_and_get_their_own_hits(calls, callers):
    callers.start(1)
    calls.wait_for(1)
    callers.start_one_by_one(2, 3, 4)
    calls.end()
    calls.wait_for(2)
    calls.end()
    assert callers.finish() == {1: 2, 2: 4, 3: 6, 4: 8}
    assert calls.made == [[1], [2, 3, 4]]


def test_a_shared_call_has_a_maximum_of_queries(calls):
    callers = Callers(SharedSearches(PATIENCE, max_shared=2), calls)
    callers.start(1)
    calls.wait_for(1)
    callers.start_one_by_one(2, 3, 4)
    for number in (2, 3):
        calls.end()
        calls.wait_for(number)
    calls.end()
    assert callers.finish() == {1: 2, 2: 4, 3: 6, 4: 8}
    assert calls.made == [[1], [2, 3], [4]]


def test_searches_of_different_kinds_do_not_wait_for_each_other(calls, callers):
    callers.start(1)
    calls.wait_for(1)
    callers.start(2, kind="dogs")
    calls.wait_for(2)
    calls.end()
    calls.end()
    assert callers.finish() == {1: 2, 2: 4}


def test_an_error_reaches_exactly_the_callers_whose_queries_were_in_the_call(calls, callers):
    callers.start(1)
    calls.wait_for(1)
    callers.start_one_by_one(2, 3)
    calls.end()
    calls.wait_for(2)
    callers.start_one_by_one(4)
    calls.end(ValueError("broken"))
    calls.wait_for(3)
    calls.end()
    answers = callers.finish()
    assert (answers[1], answers[4]) == (2, 8)
    assert [str(answers[number]) for number in (2, 3)] == ["broken", "broken"]


def test_a_caller_that_waits_too_long_gives_up_without_affecting_others(calls):
    shared = SharedSearches(PATIENCE)
    patient, hasty = Callers(shared, calls), Callers(shared, calls)
    patient.start(1)
    calls.wait_for(1)
    shared._seconds = 0.05
    hasty.start(2)
    assert "take too long" in str(hasty.finish()[2])
    shared._seconds = PATIENCE
    patient.start_one_by_one(3)
    calls.end()
    calls.wait_for(2)
    calls.end()
    assert patient.finish() == {1: 2, 3: 6}
    assert calls.made == [[1], [3]]


def test_if_the_time_of_the_leader_runs_out_the_others_are_searched_again(calls):
    shared = SharedSearches(0.6)
    first, others = Callers(shared, calls), Callers(shared, calls)
    first.start(1)
    calls.wait_for(1)
    first.start_one_by_one(2)  # leads the second call, until its time is over
    shared._seconds = PATIENCE
    others.start_one_by_one(3, 4)
    calls.end()
    calls.wait_for(2)
    calls.wait_for(3)
    calls.end()  # the second, whose callers have left
    calls.end()
    assert others.finish() == {3: 6, 4: 8}
    assert "time is over" in str(first.finish()[2])
    assert calls.made == [[1], [2, 3, 4], [3, 4]]


def test_many_repeated_callers_get_their_own_hits():
    calls, wrong = Calls(waits=False), []
    shared = SharedSearches(PATIENCE)

    def search_on(first):
        for number in range(first, first + 200):
            answer = shared.search("cats", np.array([number], np.float32), calls.ask)
            wrong.extend([number] if answer != 2 * number else [])

    threads = [threading.Thread(target=search_on, args=(1000 * n,)) for n in range(8)]
    run_threads(*threads)
    assert wrong == []
    assert sum(map(len, calls.made)) == 1600
