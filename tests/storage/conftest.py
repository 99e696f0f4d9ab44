"""An image root in a temporary folder."""

import pytest

from bento_service.settings import ImageRoot
from bento_service.storage.image_roots import ImageRoots


@pytest.fixture
def folder(tmp_path):
    """Return the folder of the image root."""
    made = tmp_path / "pictures"
    made.mkdir()
    return made


@pytest.fixture
def roots(folder):
    return ImageRoots([ImageRoot("pictures", folder)])


def write(folder, *names):
    """Write a file for each path; its content is the path."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode("utf-8", "surrogateescape"))
