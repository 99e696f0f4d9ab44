"""An image root in a temporary folder, and one in object storage."""

import pytest

from bento_service.settings import ImageRoot, ObjectImageRoot
from bento_service.storage.image_roots import ImageRoots
from tests.storage.roots import ADDRESS


@pytest.fixture
def folder(tmp_path):
    """Return the folder of the image root."""
    made = tmp_path / "pictures"
    made.mkdir()
    return made


@pytest.fixture
def outside(tmp_path):
    """Return a folder outside of the root, with a file that must not be read."""
    made = tmp_path / "private"
    made.mkdir()
    (made / "secret.jpg").write_bytes(b"secret")
    return made


@pytest.fixture
def roots(folder):
    return ImageRoots([ImageRoot("pictures", folder)])


@pytest.fixture
def s3_roots(at_s3):
    at_s3.put("some/prefix/a.jpg", b"one")
    return ImageRoots([ObjectImageRoot("pictures", ADDRESS)])


def write(folder, *names):
    """Write a file for each path; its content is the path."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode("utf-8", "surrogateescape"))
