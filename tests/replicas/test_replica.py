"""Replicas and their election, on a real PostgreSQL."""

from contextlib import ExitStack

import pytest
from sqlalchemy import text

from bento_service.catalogue import Catalogue
from bento_service.errors import Conflict
from bento_service.replicas.replica import (
    BEAT_SECONDS,
    LEASE_SECONDS,
    OWNER_SECONDS,
    SILENCE_SECONDS,
    Replica,
)
from tests.support.waiting import wait_until

TAKEN_OVER_SECONDS = 15.0
QUICK = {"beat_seconds": 0.05}


def disconnect(catalogue):
    """End the connections of all replicas."""
    with catalogue.database.writing() as connection:
        connection.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        )


def test_the_times_let_another_replica_take_over_soon_and_never_too_early():
    assert OWNER_SECONDS < SILENCE_SECONDS
    assert OWNER_SECONDS > 2 * BEAT_SECONDS
    assert SILENCE_SECONDS + BEAT_SECONDS <= TAKEN_OVER_SECONDS
    assert LEASE_SECONDS <= TAKEN_OVER_SECONDS


def test_one_of_several_replicas_is_the_owner_and_another_takes_over(shared):
    with ExitStack() as stack:
        first = Replica(shared, **QUICK)
        with first:
            others = [stack.enter_context(Replica(shared, **QUICK)) for _ in range(2)]
            assert first.is_owner()
            assert not any(replica.is_owner() for replica in others)
            assert len(shared.replicas.living()) == 3
        wait_until(lambda: sum(replica.is_owner() for replica in others) == 1)
        assert len(shared.replicas.living()) == 2


def test_a_process_on_sqlite_is_the_owner_and_needs_no_thread(tmp_path):
    with (
        Catalogue.open(f"sqlite:///{tmp_path}/catalogue.db") as catalogue,
        Replica(catalogue) as replica,
    ):
        replica.require_ownership(seconds=0)
        assert replica.is_owner()
        assert replica.alive
        assert catalogue.replicas.living() == [replica.name]
    assert not replica._thread.is_alive()


def test_a_replica_that_lost_its_connections_comes_back_as_one_owner(shared):
    with Replica(shared, **QUICK) as first, Replica(shared, **QUICK) as second:
        for _ in range(3):
            disconnect(shared)
            wait_until(lambda: first.is_owner() != second.is_owner())
            wait_until(lambda: len(shared.replicas.living()) == 2)
        assert first.alive
        assert second.alive


def test_a_replica_whose_leases_ended_takes_new_ones_under_another_number(shared):
    with Replica(shared, **QUICK) as replica:
        before = replica.number()
        shared.replicas.leave(before)  # as another one does with those that are silent
        wait_until(lambda: replica.number() != before)
        assert shared.replicas.living() == [replica.name]


def test_an_owner_that_cannot_renew_stops_being_the_owner_by_itself(shared, monkeypatch):
    with Replica(shared, **QUICK, owner_seconds=0.5) as replica:
        wait_until(replica.is_owner)
        monkeypatch.setattr(replica._session, "own", lambda: replica._stopping.wait(60))
        wait_until(lambda: not replica.is_owner())
        replica._stopping.set()


def test_an_index_that_cannot_be_shared_is_refused_to_a_second_service(shared):
    with Replica(shared, **QUICK) as first, Replica(shared, **QUICK) as second:
        first.require_ownership(seconds=0)
        with pytest.raises(Conflict, match=f"{first.name}.*LOOKALIKE_MILVUS_URI"):
            second.require_ownership(seconds=0.3)
