"""Shared fixtures: real photographs, a built model, and a real server that serves it."""

import fcntl
import importlib.util
import logging
import os
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import hypothesis
import pytest
from PIL import Image
from sqlalchemy import create_engine, text

from bento_service.catalogue import Catalogue
from model_build.export import export
from tests.support.milvus_server import MilvusServer, unpacked
from tests.support.models import CACHE, PROJECT, built_models
from tests.support.order import LongestFirst
from tests.support.postgresql import running_postgresql
from tests.support.processes import free_port
from tests.support.server import Server

pytest_plugins = [
    "tests.chaos.fixtures",
    "tests.support.catalogues",
    "tests.support.certificates",
    "tests.support.chromium",
    "tests.support.file_access",
    "tests.support.indexes",
]

PHOTOGRAPHS = ("astronaut.png", "chelsea.png", "coffee.png", "rocket.jpg", "coins.png", "ihc.png")

# A server is several processes; each would compile all that it imports at every start.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# Machines are shared: that one example took long says nothing about the code.
hypothesis.settings.register_profile(
    "shared", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("shared")


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(LongestFirst(config))


@pytest.fixture
def caplog(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    """Leave out the records of threads that other tests have left running."""
    others = set(threading.enumerate()) - {threading.current_thread()}

    def is_of_this_test(_: logging.LogRecord) -> bool:
        return threading.current_thread() not in others

    caplog.handler.addFilter(is_of_this_test)
    yield caplog
    caplog.handler.removeFilter(is_of_this_test)


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def shared_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder for all processes that run tests of this session."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


@pytest.fixture(scope="session")
def models(shared_folder: Path) -> Path:
    """Return the models folder of a BentoML home that holds the model that the service names."""
    return built_models(shared_folder)


@pytest.fixture(scope="session")
def model_folder(models: Path) -> Path:
    """Return the same model in a plain folder, as services inside of a process want it."""
    tag = (PROJECT / "bento_service" / "model_tag.txt").read_text().strip()
    target = CACHE / "exported" / tag.replace(":", "-")
    target.parent.mkdir(exist_ok=True)
    with (CACHE / "models.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        export(models / tag.replace(":", "/"), target)
    return target


@pytest.fixture(scope="session")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of six small photographs, `astronaut.jpg` and so on."""
    spec = importlib.util.find_spec("skimage")
    assert spec is not None
    assert spec.origin is not None
    folder = tmp_path_factory.mktemp("photographs")
    for name in PHOTOGRAPHS:
        with Image.open(Path(spec.origin).parent / "data" / name) as photograph:
            small = photograph.convert("RGB")
            small.thumbnail((320, 320))
            small.save(folder / f"{Path(name).stem}.jpg", quality=92)
    return folder


@pytest.fixture(scope="session")
def new_server(
    models: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[..., Server]]:
    """Makes servers that are not started yet; all of them are gone at the end."""
    made: list[Server] = []

    def make(**settings: str) -> Server:
        server = Server(tmp_path_factory.mktemp("server"), models, **settings)
        made.append(server)
        return server

    yield make
    for server in made:
        server.stop()


@pytest.fixture(scope="session")
def server(new_server: Callable[..., Server]) -> Server:
    """Return a running server that tests share; each uses a collection of its own."""
    return new_server(LOOKALIKE_MAX_REQUEST_BYTES=str(40 * 2**20)).start()


@pytest.fixture(scope="session")
def new_milvus_server(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Callable[..., MilvusServer]]:
    """Makes real Milvus servers that are not started yet; all of them are gone at the end."""
    made: list[MilvusServer] = []

    def make(**options: Any) -> MilvusServer:
        folder = tmp_path_factory.mktemp("milvus")
        made.append(MilvusServer(folder, unpacked(CACHE), **options))
        return made[-1]

    yield make
    for one in made:
        one.remove()


@pytest.fixture(scope="session")
def milvus_server(new_milvus_server: Callable[..., MilvusServer]) -> MilvusServer:
    """A running Milvus server that tests share; it stays up, and each uses names of its own."""
    return new_milvus_server().start()


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[str]:
    """Yield the URL of a real PostgreSQL server of its own."""
    with running_postgresql() as url:
        yield url


@pytest.fixture(scope="session")
def postgresql(postgresql_server: str) -> Iterator[str]:
    """Yield the URL of a catalogue in it, which tests share and empty."""
    with Catalogue.open(f"{postgresql_server}/postgres"):
        yield f"{postgresql_server}/postgres"


@pytest.fixture(scope="session")
def new_postgresql_database(postgresql_server: str) -> Iterator[Callable[[], str]]:
    """Yield a function that creates an empty database and returns its URL."""
    engine = create_engine(f"{postgresql_server}/postgres", isolation_level="AUTOCOMMIT")

    def make() -> str:
        name = f"lookalike_{uuid4().hex[:12]}"
        with engine.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
        return f"{postgresql_server}/{name}"

    yield make
    engine.dispose()


@pytest.fixture(scope="session")
def s3_server() -> Iterator[Any]:
    """Yield a running S3 server that tests share and empty."""
    from tests.support.object_storage import running_s3  # it takes a second to import

    with running_s3() as server:
        yield server


@pytest.fixture
def s3(s3_server: Any) -> Any:
    """Return the same server, with one empty bucket."""
    s3_server.empty()
    return s3_server


@pytest.fixture
def at_s3(s3: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The same server, to which the environment of this process leads."""
    for name, value in s3.environment.items():
        monkeypatch.setenv(name, value)
    return s3


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Yield a disk of 2 MiB and 64 files."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m,nr_inodes=64", "none", folder]
    mounted = subprocess.run(mount, capture_output=True, text=True, timeout=120)
    if mounted.returncode != 0:
        pytest.skip(f"this user may not mount a disk: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True, timeout=120)


@pytest.fixture(name="free_port")
def _free_port() -> int:
    """Return a TCP port of the loopback address on which nobody listens."""
    return free_port()
