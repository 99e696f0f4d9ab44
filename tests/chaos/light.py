"""The service in one process, without BentoML and without the network, so that it starts at once.

`Forge` runs a process that has imported everything; each start is a fork of it. The forked process
opens the real application and serves its real HTTP surface. Only the embedder is a stand-in, a pure
function of pixels, as the real one is.
"""

import ctypes
import json
import os
import signal
import socket
import sys
import time
from pathlib import Path
from typing import Any

from tests.support.forge import PROJECT, ForgeProcess

_POLL_SECONDS = 0.01
_STOP_SECONDS = 30.0
_DIES_WITH_PARENT = 1  # PR_SET_PDEATHSIG of prctl(2)


class Forge(ForgeProcess):
    """Starts services."""

    def __init__(self, environment: dict[str, str]) -> None:
        path = f"{environment.get('PYTHONPATH', '')}:{PROJECT}"
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("LOOKALIKE_", "BENTOML_"))}
        super().__init__("tests.chaos.light", {**kept, **environment, "PYTHONPATH": path})

    def start(self, environment: dict[str, str], log: Path) -> int:
        """Start a service; its process id."""
        return self.ask({"environment": environment, "log": str(log)})


class LightServer:
    """As `tests.conftest.Server`, but light."""

    def __init__(self, folder: Path, forge: Forge, **settings: str) -> None:
        self.data_dir = folder / "data"
        self.images = folder / "pictures"
        self.images.mkdir(parents=True, exist_ok=True)
        self.log = folder / "server.log"
        self._forge = forge
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        self.environment = {
            "LOOKALIKE_DATA_DIR": str(self.data_dir),
            "LOOKALIKE_IMAGE_ROOTS": str(self.images),
            "LOOKALIKE_PORT": str(port),
            **settings,
        }
        self._pid: int | None = None

    def launch(self) -> None:
        """Start, and do not wait."""
        self._pid = self._forge.start(self.environment, self.log)

    def processes(self) -> dict[int, str]:
        """The process, until every thread of it is gone."""
        if self._pid is None or not (Path("/proc") / str(self._pid)).exists():
            return {}
        return {self._pid: "lookalike"}

    def stop(self) -> None:
        """Stop as an operator would."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """`kill -9`."""
        self._end(signal.SIGKILL)

    def _end(self, number: int) -> None:
        deadline = time.monotonic() + _STOP_SECONDS
        for pid in self.processes():
            os.kill(pid, number)
        while self.processes():
            assert time.monotonic() < deadline, "it does not end"
            time.sleep(_POLL_SECONDS)


def _serve(environment: dict[str, str], log: str) -> None:
    import uvicorn

    from bento_service.api.app import surface_alone
    from bento_service.settings import Settings
    from tests.admin.serving import application

    os.environ.update(environment)
    settings = Settings.from_environment()
    surface = surface_alone(application, settings)
    uvicorn.run(surface, port=settings.port, log_level="info", access_log=False)


def _import_everything() -> None:
    import uvicorn.lifespan.on
    import uvicorn.loops.uvloop
    import uvicorn.protocols.http.httptools_impl  # noqa: F401

    import tests.admin.serving  # noqa: F401
    from bento_service.gallery.milvus import load_lite

    load_lite()


def _forge() -> None:
    _import_everything()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # so that nobody has to wait for the dead
    while line := sys.stdin.readline():
        wanted: dict[str, Any] = json.loads(line)
        pid = os.fork()
        if pid == 0:
            _become(wanted["environment"], wanted["log"])
        sys.stdout.write(f"{pid}\n")
        sys.stdout.flush()


def _become(environment: dict[str, str], log: str) -> None:
    """The rest of a forked process's life."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.setsid()
    ctypes.CDLL(None).prctl(_DIES_WITH_PARENT, signal.SIGKILL)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(output, 1)
    os.dup2(output, 2)
    try:
        _serve(environment, log)
    finally:
        os._exit(0)


if __name__ == "__main__":
    _forge()
