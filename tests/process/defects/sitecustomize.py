"""Gives a real server defects; only a test has this folder on its PYTHONPATH."""

import sys
from pathlib import Path


def defective(*_arguments, **_options):
    raise RuntimeError(f"cannot open {__file__} of postgresql://me:hunter2@/srv/private/catalogue")


# Before anything else takes the names from there. The working folder is not on the path yet.
sys.path.insert(0, str(Path(__file__).parents[3]))

import bento_service.search.ranking  # noqa: E402
import bento_service.storage.folder_root  # noqa: E402

sys.path.pop(0)
bento_service.search.ranking.merged = defective
bento_service.storage.folder_root.trusted_mtime = defective
