"""The Bento: built from the checkout, served from another directory, with its own model."""

import os
import shutil
import signal
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
import yaml

from client_sdk import Client

PROJECT = Path(__file__).parents[2]
GRACE = ["--timeout-graceful-shutdown", "10"]
BESIDE = ("client_sdk/cli/", "client_sdk/testing/")
"""Parts for users of the client, which no service needs."""


@pytest.fixture(scope="module")
def home(models, tmp_path_factory):
    """Return a BentoML home with the Bento and the model."""
    home = tmp_path_factory.mktemp("home")
    shutil.copytree(models, home / "models")
    _bentoml(home, PROJECT, "build")
    return home


@pytest.fixture
def user(tmp_path):
    """Return the environment of a user with an empty home directory, who has set nothing."""
    (tmp_path / "user").mkdir()
    return {"HOME": str(tmp_path / "user"), "XDG_DATA_HOME": ""}


def test_a_rebuilt_bento_finds_the_users_pictures_and_no_bento_or_export_holds_them(
    home, user, tmp_path, photographs, free_port
):
    picture = photographs / "coffee.jpg"
    before = _files(home / "bentos")
    with _served(home, tmp_path, free_port, user) as client:
        client.upload([picture, photographs / "chelsea.jpg"]).wait()
    assert _files(home / "bentos") == before

    _bentoml(home, PROJECT, "build")

    with _served(home, tmp_path, free_port, user) as client:
        assert client.count() == 2
        assert client.search(picture).hits[0].score > 0.999
    data = tmp_path / "user" / ".local" / "share" / "lookalike"
    assert {"catalogue.db", "milvus.db", "uploads"} <= {path.name for path in data.iterdir()}
    stored = {path.read_bytes() for path in data.rglob("*") if path.is_file()}
    assert picture.read_bytes() in stored

    _bentoml(home, tmp_path, "export", "lookalike:latest", str(tmp_path / "export.tar"))

    with tarfile.open(tmp_path / "export.tar") as export:
        files = [export.extractfile(member).read() for member in export if member.isfile()]
        names = export.getnames()
    assert any(name.endswith("bento_service/service.py") for name in names)
    assert picture.read_bytes() not in files
    assert not [name for name in names if name.endswith(".db")]


def test_a_served_bento_listens_where_the_settings_say(home, user, tmp_path, free_port):
    log = tmp_path / "log"
    with _served(home, tmp_path, free_port, user):
        pass
    assert f"listening on http://127.0.0.1:{free_port} " in log.read_text()


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"LOOKALIKE_DATA_DIR": "data"}, "LOOKALIKE_DATA_DIR is data, and relative paths"),
        ({"LOOKALIKE_DATA_DIR": "{bento}/src/data"}, "which lies in the Bento {bento}; give"),
        ({"LOOKALIKE_MILVUS_URI": "milvus.db"}, "LOOKALIKE_MILVUS_URI is milvus.db, and relative"),
        ({"LOOKALIKE_CATALOGUE_URL": "sqlite:///{bento}/c.db"}, "lies in the Bento {bento}; give"),
        ({"LOOKALIKE_IMAGE_ROOTS": "photos"}, "LOOKALIKE_IMAGE_ROOTS is photos, and relative"),
        ({"LOOKALIKE_DATA_DIR": "/dev/null/data"}, "cannot be written to (Not a directory)"),
        ({"LOOKALIKE_HOST": "0.0.0.0"}, "which other machines can reach"),  # noqa: S104
        ({"HOME": ""}, "LOOKALIKE_DATA_DIR is not set and there is no HOME"),
        ({"LOOKALIKE_PRECISION": "int4"}, "LOOKALIKE_PRECISION is 'int4'; use one of"),
    ],
)
def test_a_served_bento_ends_with_one_line_on_settings_that_it_cannot_use(
    home, user, tmp_path, settings, said
):
    bento = _latest(home)
    given = {name: value.format(bento=bento) for name, value in settings.items()}

    ended = subprocess.run(
        [sys.executable, "-m", "bentoml", "serve", str(bento)],
        cwd=tmp_path,
        env=_environment(home) | user | given,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert (ended.returncode, ended.stderr.count("\n")) == (1, 1), ended.stderr
    assert ended.stderr.startswith("lookalike: ")
    assert said.format(bento=bento) in ended.stderr


def test_an_image_listens_to_what_reaches_its_container(home):
    dockerfile = (_latest(home) / "env" / "docker" / "Dockerfile").read_text()

    assert "ARG LOOKALIKE_HOST=0.0.0.0" in dockerfile
    assert "ARG LOOKALIKE_FIRST_TOKEN=1" in dockerfile


def test_the_bento_names_its_model_exactly(home):
    tag = (PROJECT / "bento_service" / "model_tag.txt").read_text().strip()

    services = yaml.safe_load((_latest(home) / "bento.yaml").read_text())["services"]

    assert {model["tag"] for service in services for model in service["models"]} == {tag}
    assert not tag.endswith(":latest")


def test_the_bento_holds_all_that_the_service_needs_and_nothing_else(home):
    source = _latest(home) / "src"
    packed = {str(path.relative_to(source)) for path in _files(source)}
    tracked = subprocess.run(
        ["git", "ls-files", "bento_service", "client_sdk", "bentofile.yaml"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    beside = {name for name in tracked if name.startswith(BESIDE)}

    assert beside
    assert packed == {*(set(tracked) - beside), "bento_service/model_tag.txt"}


@contextmanager
def _served(home: Path, folder: Path, port: int, user: dict[str, str]) -> Iterator[Client]:
    """Serve the latest Bento from a folder of its own, with a port as the only setting."""
    elsewhere = folder / "elsewhere"
    elsewhere.mkdir(exist_ok=True)
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "bentoml", "serve", "lookalike:latest", *GRACE],
            cwd=elsewhere,
            env=_environment(home) | user | {"LOOKALIKE_PORT": str(port)},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        with Client(f"http://127.0.0.1:{port}") as client:
            client.wait_ready(timeout=180)
            yield client
        process.terminate()
        process.wait(60)
        assert list(elsewhere.iterdir()) == []
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(60)


def _files(folder: Path) -> set[Path]:
    """Return every file below a folder, without the bytecode that Python leaves there."""
    return {
        path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts
    }


def _latest(home: Path) -> Path:
    bentos = home / "bentos" / "lookalike"
    return (bentos / (bentos / "latest").read_text().strip()).resolve()


def _environment(home: Path) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith("LOOKALIKE_")}
    return kept | {"BENTOML_HOME": str(home), "BENTOML_DO_NOT_TRACK": "true"}


def _bentoml(home: Path, folder: Path, *arguments: str) -> None:
    answer = subprocess.run(
        [sys.executable, "-m", "bentoml", *arguments],
        cwd=folder,
        env=_environment(home),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert answer.returncode == 0, answer.stdout + answer.stderr
