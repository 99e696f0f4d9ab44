"""Progress and addresses of version 1, whose clients poll until both numbers are equal."""

from types import SimpleNamespace

import pytest

from bento_service.api.routes.v1 import process
from bento_service.catalogue.jobs.records import NewFile, NewJob, Outcome
from bento_service.catalogue.records import DescriptorSpace
from bento_service.catalogue.states import SourceKind
from client_sdk.schemas import JobState
from tests.support.job_files import todo


@pytest.fixture
def job(catalogue):
    space = DescriptorSpace("vgg16-mac", "vgg16:one", "f" * 64, 4, "fp32")
    cats = catalogue.collections.create("cats", space)
    return catalogue.jobs.create(cats.id, "cats", NewJob(SourceKind.FILE, root="pictures"))


def shown(catalogue):
    return process(SimpleNamespace(catalogue=catalogue)).body.decode()


def fail_all(catalogue, job):
    files = todo(catalogue, job)
    outcomes = [Outcome(file, code="image_unreadable", detail="bad") for file in files]
    catalogue.jobs.settle(catalogue.jobs.get(job.id), outcomes)


def test_a_train_is_not_at_its_end_before_and_while_its_folder_is_listed(catalogue, job):
    assert shown(catalogue) == "current: 0, total: 1"
    catalogue.jobs.start(job.number)
    catalogue.jobs.add_files(job.number, [NewFile("a", "a"), NewFile("b", "b")])
    assert shown(catalogue) == "current: 0, total: 2"
    fail_all(catalogue, job)
    assert shown(catalogue) == "current: 2, total: 3"
    catalogue.jobs.finish_walk(job.number)
    assert catalogue.jobs.get(job.id).state is JobState.COMPLETED
    assert shown(catalogue) == "current: 2, total: 2"


def test_a_train_of_an_empty_folder_and_a_failed_one_are_at_their_end(catalogue, job):
    catalogue.jobs.finish_walk(job.number)
    assert shown(catalogue) == "current: 0, total: 0"


def test_before_the_first_train_there_is_none(catalogue):
    assert shown(catalogue) == "current: 0, total: 0"
