"""Empty catalogues in SQLite; their tables are made once, since all migrations take a while."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from bento_service.catalogue import Catalogue


@cache
def _empty() -> bytes:
    with TemporaryDirectory() as folder:
        path = Path(folder, "catalogue.db")
        with Catalogue.open(f"sqlite:///{path}"):
            pass
        return path.read_bytes()


def sqlite_catalogue(path: Path) -> str:
    """Return the URL of a catalogue in a file; a missing file becomes an empty catalogue."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(_empty())
    return f"sqlite:///{path}"


@pytest.fixture
def catalogue(tmp_path: Path) -> Iterator[Catalogue]:
    with Catalogue.open(sqlite_catalogue(tmp_path / "catalogue.db")) as opened:
        yield opened
