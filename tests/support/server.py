"""A whole service in processes of its own."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

import httpx

from tests.support.models import PROJECT
from tests.support.processes import bound_to_parent, free_port
from tests.support.waiting import WAIT_SECONDS, wait_until

DECODER = "bento_service.pictures.decoders.child"
_START_SECONDS = 180


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
        self.port = free_port()
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
        self.command: list[str | Path] = [sys.executable, "-m", "bento_service"]
        self._process: subprocess.Popen[bytes] | None = None

    def launch(self) -> None:
        """Start, and do not wait."""
        self._sockets.mkdir(exist_ok=True)
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                bound_to_parent("TERM", *self.command),
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
        """Return true if `/readyz` answers 200."""
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
        return self._process.wait(WAIT_SECONDS)

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
            self._process.wait(WAIT_SECONDS)
        shutil.rmtree(self._sockets, ignore_errors=True)


def _without_settings(environment: "os._Environ[str]") -> dict[str, str]:
    return {k: v for k, v in environment.items() if not k.startswith(("LOOKALIKE_", "BENTOML_"))}
