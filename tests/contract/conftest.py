"""The real client against the real server, each test in a collection of its own."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from client_sdk import Client


@pytest.fixture
def client(server) -> Iterator[Client]:
    with Client(server.url, timeout=60) as client:
        yield client


@pytest.fixture
def http(server) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, timeout=60) as http:
        yield http


@pytest.fixture
def collection(client) -> Iterator[str]:
    name = f"test-{uuid4().hex[:8]}"
    client.create_collection(name)
    yield name
    client.collection(name).delete()


@pytest.fixture
def folder(server) -> Iterator[Path]:
    """Yield an empty folder under the image root."""
    folder = server.images / uuid4().hex[:8]
    folder.mkdir()
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def gallery(server, photographs: Path) -> Iterator[str]:
    """Yield a collection that holds the six photographs; tests only read it."""
    name = f"gallery-{uuid4().hex[:8]}"
    with Client(server.url, timeout=60) as client:
        client.upload(sorted(photographs.iterdir()), collection=name).wait()
        yield name
        client.collection(name).delete()
