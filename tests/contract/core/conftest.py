"""The real client against four services: each test runs over all of them and sees no difference.

What a service does not do is listed here, with the reason. Such a test runs all the same and has to
fail, so that the list cannot grow old.
"""

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from client_sdk import Client
from tests.support import backends
from tests.support.backends import Backend

BACKENDS = ("fake", "in-process", "serve", "local")
DECLINED: dict[str, dict[str, str]] = {
    "fake": {
        "test_an_original_that_was_changed_is_not_served": "it keeps the bytes that it indexed",
        "test_a_canceled_job_stops_at_once_and_a_retry_does_the_rest": "its jobs are done at once",
        "test_many_follow_one_job_and_some_leave": "its jobs are done at once",
        "test_a_mended_file_is_indexed_by_a_retry": "a retry has the bytes that were read first",
        "test_a_canceled_reindex_leaves_nothing_behind_and_can_be_retried": "it reindexes nothing",
        "test_the_same_reindex_under_one_key_is_one_job": "it reindexes nothing",
        "test_a_picture_and_its_stored_image_have_one_descriptor": "it describes nothing",
        "test_each_picture_of_an_upload_has_its_own_metadata": "it knows one object for all",
        "test_the_pictures_of_an_archive_have_its_metadata": "it unpacks no archives",
        "test_the_language_is_in_the_description_of_the_api": "it has no /openapi.json",
    },
}
"""Reasons for skips, by backend and by the name of a test, with or without its parameters."""


@pytest.fixture(scope="session")
def open_backend(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[str], Backend]]:
    """Return a service by its name; each is opened once and stays open for all files."""
    with ExitStack() as stack:

        @cache
        def make(name: str) -> Backend:
            if name == "serve":
                server = request.getfixturevalue("server")
                return Backend("serve", server.images, server.data_dir, server.url)
            folder = tmp_path_factory.mktemp(name)
            if name == "fake":
                return backends.fake(folder)
            opened = backends.local if name == "local" else backends.in_process
            return stack.enter_context(opened(folder, request.getfixturevalue("model_folder")))

        yield make


@pytest.fixture(scope="session", params=BACKENDS)
def backend(request: pytest.FixtureRequest, open_backend: Callable[[str], Backend]) -> Backend:
    return open_backend(request.param)


@pytest.fixture(autouse=True)
def _declined(request: pytest.FixtureRequest, backend: Backend) -> None:
    declined = DECLINED.get(backend.name, {})
    name = request.node.name.replace(f"{backend.name}-", "")
    if reason := declined.get(request.function.__name__, declined.get(name)):
        request.applymarker(pytest.mark.xfail(strict=True, reason=reason))


@pytest.fixture
def client(backend: Backend) -> Iterator[Client]:
    with backend.client() as client:
        yield client


@pytest.fixture
def http(backend: Backend) -> Iterator[httpx.Client]:
    with backend.http() as http:
        yield http


@pytest.fixture
def folder(backend: Backend) -> Iterator[Path]:
    """Yield an empty folder under the image root."""
    folder = backend.images / uuid4().hex[:8]
    folder.mkdir()
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def gallery(backend: Backend, photographs: Path) -> Iterator[str]:
    """Yield a collection that holds the six photographs; tests only read it."""
    name = f"gallery-{uuid4().hex[:8]}"
    with backend.client() as client:
        client.upload(sorted(photographs.iterdir()), collection=name).wait()
        yield name
        client.collection(name).delete()
