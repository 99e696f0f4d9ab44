"""A data folder of the real application, copied for each test."""

import importlib.util
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from bento_service.admin.__main__ import main
from tests.admin.backups import uploads_in
from tests.admin.forge import Forge
from tests.support.processes import child

SERVING = Path(__file__).with_name("serving.py")
FROM_FILES = 8


class Place:
    """A data folder, an image root, and the commands on them."""

    def __init__(self, folder, forge, monkeypatch=None, capsys=None):
        self.folder = folder
        self._forge = forge
        self.data = folder / "data"
        self.pictures = folder / "pictures"
        self._monkeypatch = monkeypatch
        self._capsys = capsys
        self.settings = {
            "LOOKALIKE_DATA_DIR": str(self.data),
            "LOOKALIKE_IMAGE_ROOTS": f"pictures={self.pictures}",  # copied from another folder
        }

    @property
    def environment(self):
        kept = {k: v for k, v in os.environ.items() if not k.startswith("LOOKALIKE_")}
        return kept | self.settings

    def serving(self, *arguments):
        """Run `serving.py` and return its answer."""
        done = self._forge.run("tests.admin.serving", [*map(str, arguments)], self.environment)
        assert done.code == 0, done.err[-4000:]
        return json.loads(done.out)

    def start_serving(self, *arguments):
        """Run `serving.py` until the block ends."""
        return child(
            [sys.executable, str(SERVING), *arguments],
            env=self.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def killed_admin(self, seconds, *arguments):
        """Run a command in a process, and kill it after some seconds."""
        words = [*map(str, arguments)]
        pid = self._forge.start("bento_service.admin.__main__", words, self.environment)
        time.sleep(seconds)
        self._forge.kill(pid)

    def admin(self, *arguments):
        """Run a command; return its exit code and record."""
        code, out, err = self.run(*arguments, "--json")
        assert code in (0, 1), err
        return code, json.loads(out)

    def refused(self, *arguments):
        """Run a command that cannot run; return its message."""
        code, out, err = self.run(*arguments)
        assert code == 2, (out, err)
        assert out == ""
        return err

    def run(self, *arguments):
        """Run a command; return its exit code, output and errors."""
        needs_index = arguments[0] in ("compact", "recall") or (
            arguments[0] == "verify" and "--catalogue-only" not in arguments
        )
        if needs_index:  # a process locks Milvus Lite's folder until it ends
            words = [*map(str, arguments)]
            return self._forge.run("bento_service.admin.__main__", words, self.environment)
        for name in [name for name in os.environ if name.startswith("LOOKALIKE_")]:
            self._monkeypatch.delenv(name)
        for name, value in self.settings.items():
            self._monkeypatch.setenv(name, value)
        self._capsys.readouterr()
        code = main([*map(str, arguments)])
        out, err = self._capsys.readouterr()
        return code, out, err

    def sql(self, statement, *values):
        """Run a statement on the catalogue; return its rows."""
        with closing(sqlite3.connect(self.data / "catalogue.db")) as connection, connection:
            return connection.execute(statement, values).fetchall()

    def uploads(self):
        """Return the files of the stored uploads, by digest."""
        return uploads_in(self.data)

    def indexes(self, collection="main"):
        """Return the names of a collection's indexes, the serving one first."""
        return self._column("i.name FROM indexes i", "i.name = c.index_name DESC", collection)

    def ids(self, collection="main"):
        """Return the ids of a collection's images."""
        return self._column("i.id FROM images i", "i.id", collection)

    def _column(self, selected, order, collection):
        rows = self.sql(
            f"SELECT {selected} JOIN collections c ON c.id = i.collection_id "
            f"WHERE c.name = ? ORDER BY {order}",
            collection,
        )
        return [row[0] for row in rows]

    def another(self, name):
        """Return an empty place with the same image root."""
        other = Place(self.folder / name, self._forge, self._monkeypatch, self._capsys)
        other.settings["LOOKALIKE_IMAGE_ROOTS"] = f"pictures={self.pictures}"
        return other


@pytest.fixture(scope="session")
def serving():
    """Return the module `serving`."""
    spec = importlib.util.spec_from_file_location("serving", SERVING)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def admin_forge(tmp_path_factory):
    """Yield the parent of the tests' processes."""
    with Forge(tmp_path_factory.mktemp("forge")) as forge:
        yield forge


@pytest.fixture(scope="session")
def filled(tmp_path_factory, serving, admin_forge):
    """Return a folder with a filled data folder; tests copy it."""
    place = Place(tmp_path_factory.mktemp("filled"), admin_forge)
    place.pictures.mkdir()
    for number in range(FROM_FILES):
        (place.pictures / f"{number}.png").write_bytes(serving.picture(number))
    place.serving("fill")
    return place.folder


@pytest.fixture
def place(filled, tmp_path, admin_forge, monkeypatch, capsys):
    """Return a filled data folder for one test."""
    shutil.copytree(filled, tmp_path / "place")
    return Place(tmp_path / "place", admin_forge, monkeypatch, capsys)


@pytest.fixture
def target(place):
    """Return the folder for a backup, which does not exist yet."""
    return place.folder / "backup"


@pytest.fixture
def emptied(place):
    """Return an empty data folder with the same image root."""
    return place.another("restored")


@pytest.fixture
def file(place):
    """Return the exported collection `main`."""
    path = place.folder / "main.parquet"
    assert place.admin("export", path, "--collection", "main")[0] == 0
    return path


@pytest.fixture
def other(place):
    """Return a data folder with an empty catalogue of the same descriptors."""
    other = place.another("other")
    other.serving("state")
    return other


@pytest.fixture
def kinds():
    """Counts of a record's findings by kind."""
    return lambda record: {row["kind"]: row["count"] for row in record["findings"]}
