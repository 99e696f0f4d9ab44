"""Image roots, in folders and in object storage, as tests of several files use them."""

import time

import pytest

from bento_service.catalogue.jobs.pruning import Missed
from bento_service.storage.skips import Skips
from tests.support.object_storage import BUCKET

ADDRESS = f"s3://{BUCKET}/some/prefix"


def walk(roots, path="", **options):
    """Return the paths of a walk, and its skips as `{code: (count, first)}`."""
    skips = Skips()
    options = {"recursive": True, "ignore": (), **options}
    files = roots.walk(roots.locate(path), skips=skips, **options)
    paths = [file.path for file in files]
    return paths, {each.code: (each.count, each.first) for each in skips}


def walked(roots, path=".", *, recursive=True, ignore=()):
    """Return the paths of a walk."""
    files = roots.walk(roots.locate(path), recursive=recursive, ignore=ignore)
    return [file.path for file in files]


def read(roots, path):
    with roots.opened("pictures", path) as file:
        return file.stream.read()


def check(roots, path):
    roots.check(roots.locate(path))


def assert_refused(roots, path, error, match=None):
    """Assert that a path can be neither read, checked nor walked."""
    for access in (read, check, walked):
        with pytest.raises(error, match=match):
            access(roots, path)


def presence(roots, path, root="pictures"):
    missed = Missed(source_id=0, image_id=0, path=path, read_ns=time.time_ns())
    (state,) = roots.presences(root, [missed])
    return state
