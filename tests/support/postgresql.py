"""A real PostgreSQL server for the tests."""

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.processes import bound_to_parent, free_port
from tests.support.waiting import WAIT_SECONDS, wait_until


@contextmanager
def running_postgresql() -> Iterator[str]:
    """Yield the URL of a server of its own, without the name of a database at its end."""
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    if not programs:
        pytest.skip("PostgreSQL's server is not installed")
    folder = Path(tempfile.mkdtemp(prefix="pg"))  # short: its socket's path has a limit
    user = "postgres" if os.getuid() == 0 else None  # it refuses to run as root
    if user:
        shutil.chown(folder, user)
    port = free_port()

    where = {"user": user, "cwd": folder, "stdout": subprocess.DEVNULL}
    initdb = [programs[-1] / "initdb", "--auth=trust", "--encoding=UTF8", "--username=lookalike"]
    data = ["-D", folder / "data"]
    subprocess.run([*initdb, *data, "--no-sync"], check=True, timeout=120, **where)
    options = ["-c", "listen_addresses=127.0.0.1", "-c", "fsync=off"]
    server = [programs[-1] / "postgres", *data, "-p", str(port), "-k", folder, *options]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(bound_to_parent("QUIT", *server), stderr=log, **where)
    probe = [programs[-1] / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(port)]
    try:
        wait_until(
            lambda: subprocess.run(probe, check=False, timeout=60).returncode == 0,
            message=lambda: (folder / "log").read_text(),
        )
        yield f"postgresql+psycopg://lookalike@127.0.0.1:{port}"
    finally:
        process.send_signal(signal.SIGQUIT)  # an immediate stop
        process.wait(WAIT_SECONDS)
        shutil.rmtree(folder)
