"""A catalogue in PostgreSQL: its time zone, and the isolation and locks of its transactions."""

import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import create_engine, insert, make_url, select, text

from bento_service.catalogue import Catalogue
from bento_service.catalogue.images.orders import Order, key_of
from bento_service.catalogue.revisions import lock_collection
from bento_service.catalogue.tables import instance, jobs
from bento_service.errors import StorageFull
from tests.support.waiting import running, wait_until


@pytest.fixture
def url(new_postgresql_database):
    """Return the URL of an empty database, whose settings a test may change."""
    return new_postgresql_database()


@pytest.fixture
def in_new_york(url):
    """Let the sessions of the catalogue's database have the time zone of New York."""
    engine = create_engine(url)
    with engine.begin() as connection:
        name = make_url(url).database
        connection.execute(text(f"ALTER DATABASE {name} SET timezone = 'America/New_York'"))
    engine.dispose()


@pytest.fixture
def catalogue(in_new_york, url):
    with Catalogue.open(url) as opened:
        yield opened


def test_times_are_read_in_utc_whatever_the_time_zone_of_the_database_is(catalogue, space):
    before = datetime.now(UTC)
    made = catalogue.collections.create("cats", space)
    assert before <= made.created_at <= datetime.now(UTC)
    assert made.created_at.utcoffset() == timedelta(0)


def test_a_scratch_collection_lives_as_long_in_any_time_zone(catalogue, space):
    scratch = catalogue.collections.create("scratch", space, ttl_seconds=60)
    assert catalogue.collections.delete_expired(scratch.changed_at + timedelta(seconds=59)) == {}
    assert catalogue.collections.delete_expired(datetime.now(UTC)) == {}


@pytest.mark.parametrize("order", [Order.CREATED_AT, Order.CREATED_AT_DESCENDING])
def test_pages_in_the_order_of_time_are_whole_in_any_time_zone(order, catalogue, cats, add):
    ids = [add(cats, name)[0] for name in ("a", "b", "c")]
    listed, after = [], None
    while page := catalogue.images.page(cats.id, order=order, after=after, limit=1):
        after = key_of(order, page[0])
        listed.append(page[0].id)
        assert len(listed) <= len(ids)
    assert listed == (ids if order is Order.CREATED_AT else ids[::-1])


def test_reading_sees_one_state_while_others_write(catalogue):
    with catalogue.database.reading() as reading:
        assert reading.execute(select(instance)).all() == []
        with catalogue.database.writing() as writing:
            writing.execute(insert(instance).values(id="a"))
        assert reading.execute(select(instance)).all() == []
    assert catalogue.database.rows(select(instance)) == [("a",)]


def test_a_full_disk_is_an_error_of_its_own(catalogue):
    full = "DO $$ BEGIN RAISE EXCEPTION 'No space left on device' USING ERRCODE = '53100'; END $$"
    with pytest.raises(StorageFull, match="free room"):
        catalogue.database.write(text(full))


def test_writing_sees_what_others_have_written_meanwhile(catalogue):
    with catalogue.database.writing() as writing:
        assert writing.execute(select(instance)).all() == []
        with catalogue.database.writing() as other:
            other.execute(insert(instance).values(id="a"))
        assert writing.execute(select(instance)).all() == [("a",)]


def _delete(catalogue, cats, _):
    catalogue.collections.delete(cats.id)


def _cancel(catalogue, _, job):
    catalogue.job_control.cancel(job.id)


def _fail(catalogue, cats, _):
    _, prepared = catalogue.indexes.of(cats.id)
    catalogue.reindexes.fail(prepared, "it differs")


def _retry(catalogue, _, job):
    catalogue.jobs.fail(job.number, "lost")
    catalogue.job_control.retry(catalogue.jobs.get(job.id))


@pytest.mark.parametrize("act", [_delete, _cancel, _fail, _retry])
def test_what_waits_for_a_collection_has_not_locked_its_jobs(act, catalogue, cats, space):
    other = replace(space, descriptor="vgg16-rmac4", fingerprint="e" * 64)
    job_id = catalogue.reindexes.begin(cats, other, drop_missing=False)
    job, locked, failures = catalogue.jobs.get(job_id), threading.Event(), []

    def work():
        try:
            locked.wait(60)
            act(catalogue, cats, job)
        except Exception as error:  # noqa: BLE001 - reported to the thread of the test
            failures.append(error)

    def is_waiting():
        waiting = "SELECT pid FROM pg_locks WHERE NOT granted"
        return failures or catalogue.database.rows(text(waiting))

    with running(threading.Thread(target=work)), catalogue.database.writing() as connection:
        lock_collection(connection, cats.id)
        locked.set()
        wait_until(is_waiting)
        own = select(jobs.c.number).where(jobs.c.number == job.number)
        connection.execute(own.with_for_update(nowait=True))
    assert failures == []
