"""A real server for a measurement, over a data folder of its own."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from client_sdk import Client

_PROJECT = Path(__file__).parents[1]


@contextmanager
def running(folder: Path, *, images: Path, models: Path) -> Iterator[tuple[Client, Path]]:
    """Start a server, give a client and the data folder, and stop it.

    Args:
        folder: Empty, for everything that it writes.
        images: Its image root.
        models: The models folder of a BentoML home.
    """
    home = folder / "bentoml"
    home.mkdir()
    (home / "models").symlink_to(models.resolve())
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {
        **os.environ,
        "BENTOML_HOME": str(home),
        "LOOKALIKE_DATA_DIR": str(folder / "data"),
        "LOOKALIKE_IMAGE_ROOTS": str(images),
        "LOOKALIKE_PORT": str(port),
    }
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "bento_service"],
            env=environment,
            stdout=log,
            stderr=log,
            cwd=_PROJECT,
        )
    try:
        with Client(f"http://127.0.0.1:{port}", timeout=60) as client:
            client.wait_ready(timeout=300)
            yield client, folder / "data"
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def resident_bytes(data_dir: Path) -> int:
    """Memory of all processes of a server, shared pages counted once in each."""
    marker = f"LOOKALIKE_DATA_DIR={data_dir}".encode()
    total = 0
    for process in Path("/proc").iterdir():
        try:
            if process.name.isdigit() and marker in (process / "environ").read_bytes():
                pages = int((process / "statm").read_text().split()[1])
                total += pages * os.sysconf("SC_PAGE_SIZE")
        except OSError:
            continue
    return total
