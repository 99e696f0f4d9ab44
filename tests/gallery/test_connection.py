"""Reconnecting, to real sockets that do not answer."""

from contextlib import suppress
from itertools import pairwise

import pytest
from grpc import RpcError, StatusCode

from bento_service.gallery.connection import BackingOff, Connection
from tests.support.clock import Clock
from tests.support.processes import refusing_port
from tests.support.waiting import wait_until

STEP = 0.005


@pytest.fixture
def refusing():
    """Yield the address of a port on which nothing listens."""
    with refusing_port() as port:
        yield f"http://127.0.0.1:{port}"


def pauses(connection, number, clock):
    """Return the seconds between failed attempts of a caller that never stops trying."""
    made = []
    while len(made) < number:
        try:
            connection.client()
        except BackingOff:
            clock.now += STEP
        except ConnectionError:
            made.append(clock.now)
    return [after - before for before, after in pairwise(made)]


def test_pauses_grow_up_to_a_maximum_and_are_random(refusing):
    clock = Clock()
    options = {"first_pause": 0.1, "longest_pause": 0.4, "clock": clock}
    drawn = [pauses(Connection(refusing, **options), 5, clock) for _ in range(2)]
    for one in drawn:
        for pause, longest in zip(one, (0.1, 0.2, 0.4, 0.4), strict=True):
            assert longest / 2 <= pause < longest + 2 * STEP
    assert drawn[0] != drawn[1]


def test_while_milvus_is_away_one_search_tries_and_the_others_fail_fast(refusing):
    clock = Clock()
    connection = Connection(refusing, first_pause=0.1, clock=clock)
    with pytest.raises(ConnectionRefusedError), connection.call(fail_fast=True):
        connection.client()
    assert not connection.answers
    with pytest.raises(BackingOff), connection.call(fail_fast=True):
        pytest.fail("it was let in")
    clock.now += 0.15
    with (
        connection.call(fail_fast=True),  # the one that tries
        pytest.raises(BackingOff),
        connection.call(fail_fast=True),
    ):
        pytest.fail("a second one was let in")
    assert connection.answers


class Failure(RpcError):
    def __init__(self, code):
        self._code = code

    def code(self):
        return self._code


@pytest.mark.parametrize(
    ("code", "fail_fast", "answers"),
    [
        (StatusCode.UNAVAILABLE, False, False),
        (StatusCode.UNAVAILABLE, True, False),
        (StatusCode.DEADLINE_EXCEEDED, True, False),
        (StatusCode.DEADLINE_EXCEEDED, False, True),  # it may have much to do
        (StatusCode.INTERNAL, True, True),
    ],
)
def test_only_a_dead_channel_is_closed(code, fail_fast, answers, milvus_server):
    connection = Connection(milvus_server.uri)
    first = connection.client()
    with pytest.raises(Failure), connection.call(fail_fast=fail_fast):
        raise Failure(code)
    assert connection.answers is answers
    if answers:
        assert connection.client() is first
    else:

        def client_again():
            with suppress(BackingOff):
                return connection.client()

        second = wait_until(client_again)
        assert second is not first
        assert second.list_collections(timeout=10) is not None
    connection.close()


def test_a_late_failure_of_a_former_client_leaves_the_new_one_alone(milvus_server):
    connection = Connection(milvus_server.uri, first_pause=0.0)
    clients = [connection.client()]

    def fail_late():
        with pytest.raises(Failure), connection.call():
            raise Failure(StatusCode.UNAVAILABLE)
        clients.append(connection.client())
        raise Failure(StatusCode.UNAVAILABLE)

    with pytest.raises(Failure), connection.call():
        fail_late()
    assert connection.client() is clients[1] is not clients[0]
    connection.close()
