"""A real server for a measurement, with a data folder of its own."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks import machine
from benchmarks.processes import Process, of_server
from client_sdk import Client

_PROJECT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Server:
    """A running server, its BENTOML_HOME and its data folder."""

    url: str
    client: Client
    home: Path
    data_dir: Path

    def processes(self) -> list[Process]:
        """Return its processes, and the resources that they have used so far."""
        return of_server(self.home)

    def seconds_elsewhere(self) -> float:
        """Return the CPU seconds of all programs except the server and this process."""
        used = sum(process.cpu_seconds for process in self.processes())
        return machine.busy_seconds() - used - machine.own_seconds()

    def memory_bytes(self) -> int:
        """Return the memory of all its processes in bytes, with shared pages divided (PSS)."""
        return sum(process.proportional for process in self.processes())


def linked_home(folder: Path, models: Path) -> Path:
    """Create a BentoML home in a folder with a link to a models folder, and return its path."""
    home = folder / "bentoml"
    home.mkdir()
    (home / "models").symlink_to(models.resolve())
    return home


def free_port() -> int:
    """Return a TCP port of 127.0.0.1 that was free at the time of the call."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


@contextmanager
def running(folder: Path, *, images: Path, models: Path, **settings: str) -> Iterator[Server]:
    """Start a server, yield it, and stop it at the end.

    Args:
        folder: The folder for everything that the server writes.
        images: The server's image root.
        models: The models folder of a BentoML home.
        **settings: Further settings, by their names in the environment.
    """
    home, port = linked_home(folder, models), free_port()
    environment = {
        **os.environ,
        "BENTOML_HOME": str(home),
        "LOOKALIKE_DATA_DIR": str(folder / "data"),
        "LOOKALIKE_IMAGE_ROOTS": str(images),
        "LOOKALIKE_PORT": str(port),
        **settings,
    }
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "bento_service"],
            env=environment,
            stdout=log,
            stderr=log,
            cwd=_PROJECT,
        )
    url = f"http://127.0.0.1:{port}"
    try:
        with Client(url, timeout=60) as client:
            client.wait_ready(timeout=300)
            yield Server(url, client, home, folder / "data")
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)
