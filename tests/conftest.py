"""What many tests share: real photographs, a built model, and a real server over it."""

import fcntl
import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

import httpx
import hypothesis
import pytest
from PIL import Image
from sqlalchemy import create_engine, text

from bento_service.catalogue import Catalogue
from model_build.export import export
from tests.support.milvus_server import MilvusServer, unpacked
from tests.support.order import LongestFirst
from tests.support.postgresql import running_postgresql
from tests.support.waiting import wait_until
from tests.support.whole_build import whole_build

pytest_plugins = ["tests.support.file_access"]

PROJECT = Path(__file__).parents[1]
CACHE = PROJECT / ".cache"
PHOTOGRAPHS = ("astronaut.png", "chelsea.png", "coffee.png", "rocket.jpg", "coins.png", "ihc.png")
DECODER = "bento_service.pictures.decoders.child"
_START_SECONDS = 180
_STOP_SECONDS = 30

# A server is several processes; each would compile all that it imports at every start.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# Machines are shared: that one example took long says nothing about the code.
hypothesis.settings.register_profile("shared", deadline=None)
hypothesis.settings.load_profile("shared")


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(LongestFirst(config))


class Server:
    """A real server in processes of its own, under a data folder of its own."""

    def __init__(self, folder: Path, models: Path, **settings: str) -> None:
        self.data_dir = folder / "data"
        self.images = folder / "pictures"
        self.images.mkdir(parents=True, exist_ok=True)
        home = folder / "bentoml"  # two servers cannot share one
        home.mkdir(exist_ok=True)
        if not (home / "models").exists():
            (home / "models").symlink_to(models)
        self.log = folder / "server.log"
        # A killed BentoML leaves its sockets behind; their paths have to be short.
        self._sockets = Path(tempfile.gettempdir()) / f"lookalike-{uuid4().hex[:8]}"
        self._sockets.mkdir()
        self.port = _free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.environment = {
            **_without_settings(os.environ),
            "BENTOML_HOME": str(home),
            "LOOKALIKE_DATA_DIR": str(self.data_dir),
            "LOOKALIKE_IMAGE_ROOTS": str(self.images),
            "LOOKALIKE_PORT": str(self.port),
            "TMPDIR": str(self._sockets),
            **settings,
        }
        self.command = [sys.executable, "-m", "bento_service"]
        self._process: subprocess.Popen[bytes] | None = None

    def launch(self) -> None:
        """Start, and do not wait."""
        self._sockets.mkdir(exist_ok=True)
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self.command,
                cwd=PROJECT,
                env=self.environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def start(self) -> "Server":
        """Start and wait until searches can be answered."""
        self.launch()
        assert self._process is not None
        process, last_lines = self._process, lambda: self.log.read_text()[-4000:]
        wait_until(
            lambda: self.is_ready() or process.poll() is not None,
            seconds=_START_SECONDS,
            pause=0.05,
            message=last_lines,
        )
        assert process.poll() is None, last_lines()
        return self

    def is_ready(self) -> bool:
        """Whether `/readyz` says so."""
        try:
            return httpx.get(f"{self.url}/readyz", timeout=10).status_code == 200
        except httpx.HTTPError:
            return False

    def processes(self) -> dict[int, str]:
        """Command lines of the living processes of this server, by process id."""
        marker = f"LOOKALIKE_DATA_DIR={self.data_dir}".encode()
        found = {}
        for folder in Path("/proc").iterdir():
            try:
                if folder.name.isdigit() and marker in (folder / "environ").read_bytes():
                    command = (folder / "cmdline").read_bytes().replace(b"\0", b" ")
                    if command:
                        found[int(folder.name)] = command.decode()
            except OSError:
                continue
        return found

    def decoders(self) -> list[int]:
        """Process ids of the decoders of its living processes; they have no environment of ours."""
        parents = {str(pid) for pid in self.processes()}
        found = []
        for folder in Path("/proc").iterdir():
            try:
                words = (folder / "cmdline").read_text().split("\0")
            except (OSError, UnicodeDecodeError):
                continue
            if DECODER in words and words[words.index(DECODER) + 1] in parents:
                found.append(int(folder.name))
        return found

    def tell(self, number: int) -> int:
        """Send a signal to the process that was started; returns its exit code."""
        assert self._process is not None
        self._process.send_signal(number)
        return self._process.wait(_STOP_SECONDS)

    def stop(self) -> None:
        """Stop as an operator would, and make sure that nothing is left."""
        if self._process is not None and self._process.poll() is None:
            with suppress(subprocess.TimeoutExpired):
                self.tell(signal.SIGTERM)
        self.kill()

    def kill(self) -> None:
        """`kill -9` of every process at once."""

        def are_gone() -> bool:
            processes = self.processes()
            for pid in processes:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            return not processes

        wait_until(are_gone, pause=0.05)
        if self._process is not None:
            self._process.wait(_STOP_SECONDS)
        shutil.rmtree(self._sockets, ignore_errors=True)


@pytest.fixture(scope="session")
def shared_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for all processes that run tests of this session."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


@pytest.fixture(scope="session")
def models(shared_folder: Path) -> Path:
    """The models folder of a BentoML home that holds the model that the service names."""
    return built_models(shared_folder)


def built_models(shared: Path | None = None) -> Path:
    """That folder, filled where it is not: from the whole build of this session, if it has one."""
    home = CACHE / "bentoml"
    CACHE.mkdir(exist_ok=True)
    with (CACHE / "models.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # the tests run in several processes
        if shared is not None and not (home / "models").exists():
            program = whole_build(shared, CACHE / "downloads").program
            shutil.copytree(program.home / "models", home / "models")
            shutil.copy(program.tag_file, PROJECT / "bento_service")
        subprocess.run(
            [
                *(sys.executable, "-m", "model_build", "--if-missing"),
                *("--downloads", CACHE / "downloads"),
            ],
            cwd=PROJECT,
            env={**os.environ, "BENTOML_HOME": str(home)},
            check=True,
            stdout=subprocess.DEVNULL,
            timeout=900,
        )
    return home / "models"


@pytest.fixture(scope="session")
def model_folder(models: Path) -> Path:
    """The same model in a plain folder, as services inside of a process want it."""
    tag = (PROJECT / "bento_service" / "model_tag.txt").read_text().strip()
    target = CACHE / "exported" / tag.replace(":", "-")
    target.parent.mkdir(exist_ok=True)
    with (CACHE / "models.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        export(models / tag.replace(":", "/"), target)
    return target


@pytest.fixture(scope="session")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of six small photographs, `astronaut.jpg` and so on."""
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
    """A running server that tests share; each uses a collection of its own."""
    return new_server(LOOKALIKE_MAX_REQUEST_BYTES=str(40 * 2**20)).start()


@pytest.fixture(scope="session")
def new_milvus_server(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Callable[..., MilvusServer]]:
    """Makes real Milvus servers that are not started yet; all of them are gone at the end."""
    made: list[MilvusServer] = []

    def make(session_seconds: int = 3) -> MilvusServer:
        folder = tmp_path_factory.mktemp("milvus")
        made.append(MilvusServer(folder, unpacked(CACHE), session_seconds=session_seconds))
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
    """The URL of a real PostgreSQL server of its own."""
    with running_postgresql() as url:
        yield url


@pytest.fixture(scope="session")
def postgresql(postgresql_server: str) -> Iterator[str]:
    """The URL of a catalogue in it, which tests share and empty."""
    with Catalogue.open(f"{postgresql_server}/postgres"):
        yield f"{postgresql_server}/postgres"


@pytest.fixture(scope="session")
def new_postgresql_database(postgresql_server: str) -> Iterator[Callable[[], str]]:
    """Makes empty databases; their URLs."""
    engine = create_engine(f"{postgresql_server}/postgres", isolation_level="AUTOCOMMIT")

    def make() -> str:
        name = f"lookalike_{uuid4().hex[:12]}"
        with engine.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
        return f"{postgresql_server}/{name}"

    yield make
    engine.dispose()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 2 MiB and 64 files."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m,nr_inodes=64", "none", folder]
    mounted = subprocess.run(mount, capture_output=True, text=True, timeout=120)
    if mounted.returncode != 0:
        pytest.skip(f"this user may not mount a disk: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True, timeout=120)


@pytest.fixture
def free_port() -> int:
    """A TCP port of the loopback address that nobody listens on."""
    return _free_port()


def _without_settings(environment: "os._Environ[str]") -> dict[str, str]:
    return {k: v for k, v in environment.items() if not k.startswith(("LOOKALIKE_", "BENTOML_"))}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
