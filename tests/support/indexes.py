"""Catalogues with an index over them, and images that are committed without pictures."""

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pytest

from bento_service.catalogue import Catalogue
from bento_service.catalogue.jobs.records import Described, NewFile, NewJob, Outcome
from bento_service.catalogue.records import CollectionRecord
from bento_service.catalogue.states import SourceKind
from bento_service.gallery.milvus_gallery import MilvusGallery
from tests.support.job_files import todo

on_both = pytest.mark.parametrize("gallery", ["lite", "server"], indirect=True)
"""Runs a test on Milvus Lite and on a Milvus server."""


@pytest.fixture(scope="module")
def milvus_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("shared") / "milvus.db"


@pytest.fixture(scope="module", params=["lite"])
def gallery(request: pytest.FixtureRequest) -> Iterator[MilvusGallery]:
    """One Milvus for all tests of a module, since it takes long to start."""
    if request.param == "lite":
        uri = str(request.getfixturevalue("milvus_folder"))
    else:
        uri = request.getfixturevalue("milvus_server").uri
    with MilvusGallery(uri) as opened:
        yield opened


def digest(name: str) -> str:
    """Return the digest of a picture that only has a name."""
    return hashlib.sha256(name.encode()).hexdigest()


def random_units(number: int, dimension: int, seed: int = 0) -> np.ndarray:
    """Return N random vectors (N, D) of unit length, the same for the same seed."""
    vectors = np.random.default_rng(seed).standard_normal((number, dimension))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def described(
    name: str, descriptors: Mapping[str, np.ndarray], hashes: bytes | None = None
) -> Described:
    """Return a picture that only has a name, with its descriptors by fingerprint."""
    vectors = {version: np.asarray(vector, np.float32) for version, vector in descriptors.items()}
    return Described(digest(name), "PNG", 20, 10, 99, vectors, hashes)


def commit(
    catalogue: Catalogue,
    collection: CollectionRecord,
    pictures: Mapping[str, Described],
    kind: SourceKind = SourceKind.FILE,
) -> list[int]:
    """Commit pictures, by the names of their files, as one job; return the ids of the images."""
    files = tuple(
        NewFile(str(number), name, picture.sha256)
        for number, (name, picture) in enumerate(pictures.items())
    )
    job = catalogue.jobs.create(
        collection.id, collection.name, NewJob(kind, root="pictures", files=files)
    )
    listed = todo(catalogue, job)
    outcomes = [Outcome(file, described=pictures[file.path]) for file in listed]
    catalogue.jobs.settle(job, outcomes)
    page = catalogue.images.page(collection.id, limit=10**6)
    ids = {image.sha256: image.id for image in page}
    return [ids[picture.sha256] for picture in pictures.values()]
