"""The service in one process, without BentoML and without the network, so that it starts at once.

`Forge` runs a process that has imported everything; each start is a fork of it. The forked process
opens the real application and serves its real HTTP surface. Only the embedder is a stand-in, a pure
function of pixels, as the real one is.
"""

import ctypes
import json
import os
import select
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.support.forge import PROJECT, ForgeProcess
from tests.support.processes import free_port

_POLL_SECONDS = 0.01
_STOP_SECONDS = 60.0
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
    """A server like `tests.support.server.Server` without BentoML."""

    def __init__(self, folder: Path, forge: Forge, **settings: str) -> None:
        self.data_dir = folder / "data"
        self.images = folder / "pictures"
        self.images.mkdir(parents=True, exist_ok=True)
        self.log = folder / "server.log"
        self._forge = forge
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self.environment = {
            "LOOKALIKE_DATA_DIR": str(self.data_dir),
            "LOOKALIKE_IMAGE_ROOTS": str(self.images),
            "LOOKALIKE_PORT": str(port),
            **settings,
        }
        self._pid = 0
        self._handle: int | None = None  # a process id may become that of another thread

    def launch(self) -> None:
        """Start, and do not wait."""
        assert not self.processes()
        self._pid = self._forge.start(self.environment, self.log)
        with suppress(ProcessLookupError):
            self._handle = os.pidfd_open(self._pid)

    def processes(self) -> dict[int, str]:
        """Return the process, until every thread of it is gone."""
        if self._handle is not None:
            ended = select.poll()
            ended.register(self._handle, select.POLLIN)
            if ended.poll(0):
                os.close(self._handle)
                self._handle = None
        return {} if self._handle is None else {self._pid: "lookalike"}

    def stop(self) -> None:
        """Stop as an operator would."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """`kill -9`."""
        self._end(signal.SIGKILL)

    def _end(self, number: int) -> None:
        deadline = time.monotonic() + _STOP_SECONDS
        if self.processes() and self._handle is not None:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._handle, number)
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
    """Serve in a forked process until it ends."""
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
