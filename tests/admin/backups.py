"""Readers of a backup's files, and a check that they agree."""

import hashlib
import json
import sqlite3
from contextlib import closing


def digest_of(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def manifest_of(backup):
    return json.loads((backup / "manifest.json").read_text())


def uploads_in(folder):
    """Return the files of the uploads in a data folder or a backup, by digest."""
    return {path.name: path for path in (folder / "uploads").glob("??/*")}


def assert_whole(backup):
    """Check that manifest, catalogue and needed uploads agree."""
    manifest = manifest_of(backup)
    catalogue = backup / manifest["catalogue"]["file"]
    assert digest_of(catalogue) == manifest["catalogue"]["sha256"]
    assert manifest["lost"] == []
    with closing(sqlite3.connect(f"file:{catalogue}?mode=ro", uri=True)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        needed = connection.execute(
            "SELECT DISTINCT s.sha256 FROM sources s JOIN images i ON i.id = s.image_id "
            "WHERE s.kind = 'upload' AND NOT i.deleted"
        ).fetchall()
    files = uploads_in(backup)
    for (digest,) in needed:
        assert digest_of(files[digest]) == digest
    return len(needed)
