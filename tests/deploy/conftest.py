"""Fixtures of the tests of containers."""

import shutil
import tempfile
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def pictures(photographs):
    """Return a folder of six pictures that every user may read, as a container's user has to."""
    with tempfile.TemporaryDirectory(prefix="lookalike-") as folder:
        pictures = Path(shutil.copytree(photographs, Path(folder, "pictures")))
        for readable in (Path(folder), pictures):
            readable.chmod(0o755)
        yield pictures
