import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from bento_service.catalogue import Catalogue
from bento_service.catalogue.records import Computed
from bento_service.catalogue.tables import instance
from bento_service.errors import CollectionNotFound, Conflict, InvalidArgument
from client_sdk.schemas import JobState
from tests.support.waiting import run_threads


def test_a_new_collection_is_empty_and_its_index_too(catalogue, space):
    made = catalogue.collections.create("cats", space)
    assert (made.name, made.space, made.index.revision, made.index.applied) == ("cats", space, 0, 0)
    assert made.created_at.tzinfo is not None
    assert catalogue.collections.named("cats") == made
    assert catalogue.images.count(made.id) == 0


@pytest.mark.parametrize("name", ["a", "0", "A-b_c.d", "x" * 128])
def test_valid_names_are_accepted(name, catalogue, space):
    assert catalogue.collections.create(name, space).name == name


@pytest.mark.parametrize(
    "name", ["", "x" * 129, "-a", ".a", "_a", "a b", "a/b", "é", "a\n", "a\0", "x" * 10_000]
)
def test_invalid_names_are_refused_with_a_short_message(name, catalogue, space):
    with pytest.raises(InvalidArgument, match="up to 128 letters") as caught:
        catalogue.collections.create(name, space)
    assert len(str(caught.value)) < 500


def test_upper_and_lower_case_are_two_collections(catalogue, space):
    assert catalogue.collections.create("cats", space) != catalogue.collections.create(
        "Cats", space
    )


def test_a_name_is_taken_once(catalogue, space):
    catalogue.collections.create("cats", space)
    with pytest.raises(Conflict, match="'cats' exists already"):
        catalogue.collections.create("cats", space)


def test_the_error_of_an_unknown_collection_lists_the_known_ones(catalogue, space):
    for name in ("dogs", "birds"):
        catalogue.collections.create(name, space)
    with pytest.raises(CollectionNotFound, match=r"'cats' does not exist.*birds, dogs"):
        catalogue.collections.named("cats")


@pytest.mark.parametrize("name", ["", "\0", "cats\0", "\ud800", "x" * 10_000])
def test_no_collection_has_an_invalid_name(name, catalogue, cats):
    with pytest.raises(CollectionNotFound, match="use one of: cats"):
        catalogue.collections.named(name)


def test_collections_are_listed_by_name(catalogue, space):
    for name in ("dogs", "birds", "cats"):
        catalogue.collections.create(name, space)
    assert [found.name for found in catalogue.collections.all()] == ["birds", "cats", "dogs"]


def test_concurrent_calls_of_ensure_create_a_collection_once(catalogue, space):
    found = []
    threads = [
        threading.Thread(target=lambda: found.append(catalogue.collections.ensure("cats", space)))
        for _ in range(6)
    ]
    run_threads(*threads)
    assert len(found) == 6
    assert len({collection.id for collection in found}) == 1


def test_only_the_same_descriptor_version_is_comparable(catalogue, space):
    made = catalogue.collections.create("cats", space)
    assert catalogue.collections.comparable("cats", Computed((space,))) == made
    other = replace(space, model="vgg16:two", fingerprint="e" * 64)
    with pytest.raises(Conflict, match="start the service with the model vgg16:one"):
        catalogue.collections.comparable("cats", Computed((other,)))
    retagged = replace(space, model="vgg16:again")
    assert catalogue.collections.comparable("cats", Computed((retagged,))) == made


def test_indexes_have_names_of_this_catalogue_and_their_own(catalogue, url, space, tmp_path):
    one, two = (catalogue.collections.create(name, space) for name in ("cats", "dogs"))
    beginning = f"lookalike_{catalogue.collections.instance_id()[:12]}_"
    assert one.index.name.startswith(beginning)
    assert two.index.name.startswith(beginning)
    assert one.index.name != two.index.name
    assert one.index.name.replace("_", "").isalnum()  # all that Milvus takes
    with Catalogue.open(f"sqlite:///{tmp_path}/other.db") as other:
        assert not other.collections.create("cats", space).index.name.startswith(beginning)


def test_a_catalogue_keeps_its_own_name(catalogue, url):
    made = catalogue.collections.instance_id()
    assert catalogue.collections.instance_id() == made
    with Catalogue.open(url) as again:
        assert again.collections.instance_id() == made
        with again.database.reading() as connection:
            assert connection.execute(instance.select()).all() == [(made,)]


def test_the_images_of_a_deleted_collection_are_deleted(catalogue, cats, space, add):
    dogs = catalogue.collections.create("dogs", space)
    add(cats, "tom")
    (rex,) = add(dogs, "rex")
    catalogue.collections.delete(cats.id)
    with pytest.raises(CollectionNotFound):
        catalogue.collections.named("cats")
    assert catalogue.images.count(cats.id) == 0
    assert catalogue.changes.page(cats.index.id, after=(0, 0), limit=10) == []
    assert catalogue.images.get(rex).collection == "dogs"


def test_a_deleted_collections_jobs_stay_readable(catalogue, cats, add):
    add(cats, "tom")
    catalogue.collections.delete(cats.id)
    (job,) = catalogue.jobs.page(before=None, limit=10)
    assert (job.collection, job.collection_id, job.indexed) == ("cats", None, 1)


def test_a_deleted_collections_open_jobs_end(catalogue, cats, space, upload_job):
    dogs = catalogue.collections.create("dogs", space)
    left, other = upload_job(cats, "tom"), upload_job(dogs, "rex")

    catalogue.collections.delete(cats.id)

    ended = catalogue.jobs.get(left.id)
    assert (ended.state, ended.detail) == (JobState.FAILED, "the collection was deleted")
    assert ended.finished_at is not None
    assert [job.id for job in catalogue.jobs.open()] == [other.id]


def test_a_name_can_be_used_again_for_another_collection(catalogue, cats, space, add):
    add(cats, "tom")
    catalogue.collections.delete(cats.id)
    again = catalogue.collections.create("cats", space)
    assert again.id > cats.id
    assert again.index.name != cats.index.name
    assert catalogue.images.count(again.id) == 0


def test_the_cursor_of_the_index_is_kept(catalogue, cats, add):
    add(cats, "tom")
    catalogue.indexes.set_applied(cats.index.id, 1)
    now = catalogue.collections.named("cats")
    assert (now.index.revision, now.index.applied) == (1, 1)


def _later(seconds):
    return datetime.now(UTC) + timedelta(seconds=seconds)


def test_only_expired_scratch_collections_are_deleted(catalogue, space):
    catalogue.collections.create("for-ever", space)
    scratch = catalogue.collections.create("scratch", space, ttl_seconds=60)
    assert scratch.expires_at == scratch.created_at + timedelta(seconds=60)

    assert catalogue.collections.delete_expired(_later(50)) == {}
    assert catalogue.collections.delete_expired(_later(61)) == {"scratch": set()}
    assert [one.name for one in catalogue.collections.all()] == ["for-ever"]
    assert catalogue.collections.delete_expired(_later(10**8)) == {}


def test_a_change_restarts_the_time_of_a_scratch_collection(catalogue, space, add):
    scratch = catalogue.collections.create("scratch", space, ttl_seconds=60)

    (tom,) = add(scratch, "tom")
    trained = catalogue.collections.named("scratch")
    assert scratch.expires_at < trained.expires_at
    catalogue.images.delete(scratch.id, [tom])
    assert trained.expires_at < catalogue.collections.named("scratch").expires_at


def test_an_open_job_keeps_a_scratch_collection(catalogue, space, upload_job):
    scratch = catalogue.collections.create("scratch", space, ttl_seconds=60)
    started = upload_job(scratch, "tom")

    assert catalogue.collections.delete_expired(_later(61)) == {}
    catalogue.jobs.fail(started.number, "given up")
    assert list(catalogue.collections.delete_expired(_later(61))) == ["scratch"]


def test_deleting_a_collection_returns_its_uploads(
    catalogue, space, add, upload_job, settle_all, digest
):
    scratch = catalogue.collections.create("scratch", space, ttl_seconds=60)
    add(scratch, "a file of a folder")
    settle_all(upload_job(scratch, "tom"))

    assert catalogue.collections.delete_expired(_later(61)) == {"scratch": {digest("tom")}}
    unneeded = catalogue.upload_references.unneeded({digest("tom")}, ended_after=_later(0))
    assert unneeded == {digest("tom")}
