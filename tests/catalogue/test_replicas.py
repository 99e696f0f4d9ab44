"""Replicas on one PostgreSQL: their first start, their rows and their sessions."""

import threading
from contextlib import ExitStack
from datetime import timedelta

import pytest
from sqlalchemy import select, text

from bento_service.catalogue import Catalogue
from bento_service.catalogue.records import RootRecord
from bento_service.catalogue.replicas import ReplicaSession
from bento_service.catalogue.tables import replicas
from bento_service.errors import CatalogueUnavailable
from tests.support.waiting import run_threads, wait_until

on_postgresql = pytest.mark.parametrize("url", ["postgresql"], indirect=True)


def test_replicas_can_be_started_for_the_first_time_at_once(new_postgresql_database, space):
    url, ids, failures = new_postgresql_database(), [], []
    barrier = threading.Barrier(4)

    def start():
        try:
            barrier.wait(60)
            with Catalogue.open(url) as catalogue:
                barrier.wait(60)
                catalogue.collections.ensure("default", space)
                catalogue.roots.bind([RootRecord("a", "/a"), RootRecord("b", "/b")])
                ids.append(catalogue.collections.instance_id())
        except Exception as error:  # noqa: BLE001 - reported to the thread of the test
            failures.append(error)

    run_threads(*(threading.Thread(target=start) for _ in range(4)))

    assert failures == []
    assert len(ids) == 4
    assert len(set(ids)) == 1


@pytest.fixture
def sessions(catalogue):
    """Yield a function that makes sessions, as if each was of another replica."""
    made = []

    def make(**options):
        made.append(ReplicaSession(catalogue.database, **options))
        return made[-1]

    yield make
    for session in made:
        session.close()


@on_postgresql
def test_a_replica_lives_until_its_time_is_over(catalogue, sessions):
    short = catalogue.replicas.join("short", seconds=60)
    long = catalogue.replicas.join("long", seconds=60)
    assert catalogue.replicas.living() == ["short", "long"]
    session = sessions()
    assert session.renew(short, seconds=0.1)
    wait_until(lambda: catalogue.replicas.living() == ["long"])
    assert session.renew(long, seconds=60)
    assert not session.renew(short, seconds=60)
    assert catalogue.replicas.join("short", seconds=60) > long


@on_postgresql
def test_a_replica_that_renews_its_row_lives_on(catalogue, sessions):
    def end():
        (moment,) = catalogue.database.scalars(select(replicas.c.expires_at))
        return moment

    number, session = catalogue.replicas.join("one", seconds=60), sessions()
    before = end()
    assert session.renew(number, seconds=120)
    assert end() - before >= timedelta(seconds=60)


def test_a_replica_that_has_left_is_gone(catalogue):
    number = catalogue.replicas.join("one", seconds=60)
    catalogue.replicas.leave(number)
    assert catalogue.replicas.living() == []


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
def test_a_process_on_sqlite_ends_the_former_one(catalogue):
    first = catalogue.replicas.join("first", seconds=60)
    second = catalogue.replicas.join("second", seconds=60)
    assert second > first
    assert catalogue.replicas.living() == ["second"]


@on_postgresql
def test_one_replica_is_the_owner(sessions):
    first, second = sessions(), sessions()
    assert [first.own(), second.own(), first.own(), second.own()] == [True, False, True, False]
    first.close()
    wait_until(second.own)  # PostgreSQL ends the session of the first one a moment later
    assert not first.own()


@on_postgresql
def test_a_silent_owner_is_followed_by_another(sessions):
    silent, other = sessions(silence_seconds=1), sessions()
    assert silent.own()
    wait_until(other.own, pause=0.1)
    with pytest.raises(CatalogueUnavailable):
        silent.own()
    assert not silent.own()


@on_postgresql
def test_an_owner_that_loses_its_connection_says_so_and_can_be_the_owner_again(sessions, catalogue):
    session = sessions()
    assert session.own()
    with catalogue.database.writing() as connection:
        connection.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_locks "
                "WHERE locktype = 'advisory' AND pid <> pg_backend_pid()"
            )
        )
    with pytest.raises(CatalogueUnavailable):
        session.own()
    wait_until(session.own, pause=0.05)


@on_postgresql
def test_leases_are_renewed_while_every_connection_of_the_pool_is_in_use(catalogue, sessions):
    number, session = catalogue.replicas.join("busy", seconds=60), sessions()
    assert session.own()
    with ExitStack() as stack:
        for _ in range(15):
            stack.enter_context(catalogue.database.reading())
        assert session.renew(number, seconds=60)
        assert session.own()
