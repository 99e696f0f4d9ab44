from dataclasses import replace

import pytest

from bento_service.catalogue.records import Computed, DescriptorSpace
from bento_service.catalogue.states import SourceKind
from bento_service.errors import Conflict, Forbidden, InvalidArgument, PathNotFound
from bento_service.ingest.starting.folder_jobs import collection_for_training, start_folder_job
from bento_service.requests import TrainRequest
from bento_service.settings import ImageRoot
from bento_service.storage.image_roots import ImageRoots
from client_sdk.schemas import JobState

SPACE = DescriptorSpace("vgg16-mac", "vgg16:one", "f" * 64, 4, "fp32")


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "pictures"
    (made / "cats").mkdir(parents=True)
    (made / "cats" / "tom.jpg").touch()
    return made


@pytest.fixture
def train(catalogue, folder):
    roots = ImageRoots([ImageRoot("pictures", folder)])

    def start(path, space=SPACE, **options):
        return start_folder_job(
            catalogue, roots, Computed((space,)), TrainRequest(path=path, **options)
        )

    return start


def test_a_folder_becomes_a_pending_job(train, folder):
    options = {"recursive": False, "ignore": ("*.gif",), "metadata": {"album": 1}}
    job = train(f"{folder}/cats/", collection="pets", **options)
    assert (job.state, job.kind, job.walked) == (JobState.PENDING, SourceKind.FILE, False)
    assert (job.root, job.path, job.collection) == ("pictures", "cats", "pets")
    assert (job.recursive, job.ignore, job.metadata) == (False, ("*.gif",), {"album": 1})


def test_a_file_or_the_whole_root_becomes_a_job_too(train, folder):
    assert train("cats/tom.jpg").path == "cats/tom.jpg"
    assert train(str(folder)).path == ""


def test_training_creates_the_collection(train, catalogue):
    train("cats", collection="pets")
    assert catalogue.collections.named("pets").space == SPACE


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("../private", Forbidden),
        ("/etc", Forbidden),
        ("dogs", PathNotFound),
        ("cats/" + "n" * 300, PathNotFound),
        ("cats\0", InvalidArgument),
    ],
)
def test_an_invalid_path_leaves_neither_job_nor_collection(path, error, train, catalogue):
    with pytest.raises(error):
        train(path, collection="pets")
    assert catalogue.jobs.page(before=None, limit=9) == []
    assert catalogue.collections.all() == []


def test_a_collection_of_another_model_accepts_no_job(train, catalogue):
    train("cats", collection="pets")
    other = replace(SPACE, fingerprint="e" * 64)
    with pytest.raises(Conflict, match="vgg16:one"):
        train("cats", space=other, collection="pets")
    assert len(catalogue.jobs.page(before=None, limit=9)) == 1


def test_an_invalid_collection_name_is_refused(catalogue):
    with pytest.raises(InvalidArgument):
        collection_for_training(catalogue, "../pets", Computed((SPACE,)))
    assert collection_for_training(catalogue, "pets", Computed((SPACE,))).name == "pets"
