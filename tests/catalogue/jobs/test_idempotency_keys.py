import threading
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select, update

from bento_service.catalogue import Catalogue
from bento_service.catalogue.jobs.records import Claim, NewFile, NewJob
from bento_service.catalogue.records import DescriptorSpace
from bento_service.catalogue.states import SourceKind
from bento_service.catalogue.tables import idempotency_keys
from bento_service.errors import Conflict
from tests.support.waiting import run_threads

CLAIM = Claim("order 17", "a" * 64)
NEW = NewJob(SourceKind.UPLOAD, files=(NewFile("1", "tom.png", "b" * 64),))


def test_the_same_claim_again_is_the_same_job(catalogue, cats):
    first = catalogue.jobs.create(cats.id, "cats", NEW, CLAIM)
    assert catalogue.jobs.create(cats.id, "cats", NEW, CLAIM) == first
    assert catalogue.idempotency_keys.job_of(CLAIM) == first.id
    assert [job.id for job in catalogue.jobs.open()] == [first.id]
    assert first.total == 1


def test_a_key_of_another_request_is_refused(catalogue, cats):
    first = catalogue.jobs.create(cats.id, "cats", NEW, CLAIM)
    other = Claim(CLAIM.key, "c" * 64)
    for ask in (
        lambda: catalogue.jobs.create(cats.id, "cats", NEW, other),
        lambda: catalogue.idempotency_keys.job_of(other),
    ):
        with pytest.raises(Conflict, match=f"'order 17' was used for another.*{first.id}"):
            ask()
    assert len(catalogue.jobs.open()) == 1


def test_without_a_key_every_call_starts_a_job(catalogue, cats):
    made = {catalogue.jobs.create(cats.id, "cats", NEW).id for _ in range(2)}
    assert len(made) == 2


def test_a_claim_survives_being_closed(url, catalogue, cats):
    first = catalogue.jobs.create(cats.id, "cats", NEW, CLAIM)
    with Catalogue.open(url) as again:
        assert again.jobs.create(cats.id, "cats", NEW, CLAIM).id == first.id


def test_a_claim_of_a_call_that_failed_can_be_used(catalogue, cats):
    space = DescriptorSpace("vgg16-mac", "vgg16:one", cats.space.fingerprint, 4, "fp32")
    with pytest.raises(Conflict, match="already"):
        catalogue.reindexes.begin(cats, space, drop_missing=False, claim=CLAIM)
    assert catalogue.idempotency_keys.job_of(CLAIM) is None
    assert catalogue.jobs.create(cats.id, "cats", NEW, CLAIM).id


def test_a_reindex_under_the_same_claim_is_begun_once(catalogue, cats):
    space = DescriptorSpace("vgg16-rgem", "vgg16:one", "d" * 64, 4, "fp32")
    first = catalogue.reindexes.begin(cats, space, drop_missing=False, claim=CLAIM)
    assert catalogue.reindexes.begin(cats, space, drop_missing=False, claim=CLAIM) == first


def test_a_key_expires_after_a_day(catalogue, cats):
    def age(period):
        statement = update(idempotency_keys).values(created_at=datetime.now(UTC) - period)
        catalogue.database.write(statement)

    first = catalogue.jobs.create(cats.id, "cats", NEW, CLAIM)
    age(timedelta(hours=23, minutes=59))
    catalogue.idempotency_keys.remove_expired()
    assert catalogue.idempotency_keys.job_of(CLAIM) == first.id
    age(timedelta(hours=24))
    assert catalogue.idempotency_keys.job_of(CLAIM) is None
    second = catalogue.jobs.create(cats.id, "cats", NEW, CLAIM)
    assert second.id != first.id
    age(timedelta(hours=24))
    catalogue.idempotency_keys.remove_expired()
    keys = select(func.count()).select_from(idempotency_keys)
    assert catalogue.database.scalar(keys) == 0


def test_many_concurrent_calls_with_one_key_start_one_job(catalogue, cats):
    together = threading.Barrier(8)
    made = []

    def start():
        together.wait(60)
        made.append(catalogue.jobs.create(cats.id, "cats", NEW, CLAIM).id)

    threads = [threading.Thread(target=start) for _ in range(8)]
    run_threads(*threads)
    assert len(made) == 8
    assert len(set(made)) == 1
    assert len(catalogue.jobs.open()) == 1
