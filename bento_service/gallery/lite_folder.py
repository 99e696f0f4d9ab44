"""Milvus Lite's folder, if Milvus Lite cannot use it.

All of it can be rebuilt from the catalogue, so a folder that cannot be used is renamed as a whole,
and the index starts empty. Damage inside one index is not visible here; that index is dropped when
it is opened.
"""

import fcntl
import json
import logging
import shutil
import time
from pathlib import Path

_log = logging.getLogger(__name__)
_FOLDERS = ("collections", "databases", ".database-staging")
_LOCK = "LOCK"
_SETTINGS = ("aliases.json", "database_properties.json")
_SCHEMA = "schema.json"


def set_aside_if_unusable(folder: Path) -> Path | None:
    """Rename a folder in which Milvus Lite cannot start, unless a process uses it.

    Returns:
        The new name; `None` if nothing was renamed.

    Raises:
        OSError: The folder cannot be read or renamed.
    """
    defect = _defect(folder) if folder.exists() else ""
    if not defect or _is_used(folder):
        return None
    aside = folder.with_name(f"{folder.name}.damaged-{time.strftime('%Y%m%dT%H%M%S')}")
    folder.rename(aside)
    _log.warning(
        "%s cannot be used (%s); it is now %s and may be deleted, the index is rebuilt",
        folder.name,
        defect,
        aside.name,
    )
    return aside


def names_in(folder: Path) -> list[str]:
    """Return the names of the indexes; Milvus Lite cannot list them if one is damaged."""
    return sorted(path.parent.name for path in folder.glob(f"{_FOLDERS[0]}/*/{_SCHEMA}"))


def remove_index(folder: Path, name: str) -> None:
    """Delete the files of an index that Milvus Lite does not know, as after a kill."""
    shutil.rmtree(folder / _FOLDERS[0] / name, ignore_errors=True)


def _defect(folder: Path) -> str:
    if not folder.is_dir():
        return "it is no folder"
    for name in _FOLDERS:
        if (folder / name).exists() and not (folder / name).is_dir():
            return f"{name} is no folder"
    if (folder / _LOCK).is_dir():
        return f"{_LOCK} is a folder"
    for name in _SETTINGS:
        if (folder / name).exists() and not _is_json_object(folder / name):
            return f"{name} is damaged"
    return ""


def _is_json_object(path: Path) -> bool:
    try:
        return isinstance(json.loads(path.read_bytes()), dict)
    except ValueError:
        return False


def _is_used(folder: Path) -> bool:
    lock = folder / _LOCK
    if not lock.is_file():
        return False
    with lock.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False
