import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest

from bento_service.gallery.milvus_gallery import MilvusGallery
from tests.gallery.finding import DIMENSION
from tests.support.processes import child

PROJECT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def unit_vectors():
    """Return N random vectors of unit length, the same for the same seed."""

    def make(number: int, *, seed: int = 0) -> np.ndarray:
        vectors = np.random.default_rng(seed).standard_normal((number, DIMENSION))
        return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)

    return make


@pytest.fixture(scope="session")
def milvus_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of the Milvus Lite that these tests share."""
    return tmp_path_factory.mktemp("shared") / "milvus.db"


@pytest.fixture(scope="session", params=["lite", "server"])
def gallery(request: pytest.FixtureRequest) -> Iterator[MilvusGallery]:
    """Milvus Lite and a Milvus server, the same for all tests: both take long to start."""
    if request.param == "lite":
        uri = str(request.getfixturevalue("milvus_folder"))
    else:
        uri = request.getfixturevalue("milvus_server").uri
    with MilvusGallery(uri) as opened:
        yield opened


@pytest.fixture(scope="session")
def lite(milvus_folder: Path) -> Iterator[MilvusGallery]:
    """Milvus Lite alone."""
    with MilvusGallery(str(milvus_folder)) as opened:
        yield opened


@pytest.fixture(scope="session")
def _shared_index(gallery: MilvusGallery) -> str:
    gallery.open("shared", DIMENSION)
    return "shared"


@pytest.fixture
def index(gallery: MilvusGallery, _shared_index: str) -> Iterator[str]:
    """Yield the name of an empty index; a new one would take half a second."""
    yield _shared_index
    gallery.delete(_shared_index, sorted(gallery.ids(_shared_index)))
    if gallery.is_embedded:  # its searches get slower with each row in its log
        gallery.flush(_shared_index)


@pytest.fixture(scope="session")
def script():
    """Run Python in another process, where `gallery`, `vectors` and `np` are defined."""
    started = ExitStack()

    def start(folder: Path, text: str) -> "subprocess.Popen[str]":
        beginning = f"""
            import sys, threading
            import numpy as np
            from bento_service.gallery.milvus_gallery import MilvusGallery
            vectors = np.random.default_rng(0).standard_normal((5000, {DIMENSION}))
            vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
            gallery = MilvusGallery({str(folder)!r})
        """
        code = textwrap.dedent(beginning) + textwrap.dedent(text)
        command = [sys.executable, "-c", code]
        return started.enter_context(child(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True))

    with started:
        yield start


@pytest.fixture(scope="session")
def written(script, tmp_path_factory):
    """Return a Milvus Lite folder with 60 rows in two segments and one more row in its log."""
    folder = tmp_path_factory.mktemp("written") / "milvus.db"
    writer = script(
        folder,
        """
        gallery.open("cats", 16)
        for first in (0, 30):
            gallery.upsert("cats", range(first, first + 30), vectors[first : first + 30])
            gallery.flush("cats")
        gallery.upsert("cats", [60], vectors[60:61])
        import os
        os._exit(0)
        """,
    )
    writer.communicate(timeout=60)
    assert writer.returncode == 0
    return folder
