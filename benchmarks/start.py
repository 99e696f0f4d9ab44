"""Benchmark of the service's start: time until it is ready, and its memory then.

    python -m benchmarks.start [--starts N] [--pictures FOLDER] [--models FOLDER]

Our server and one whose two services do nothing (`benchmarks.empty_service`) are started in turn.
Both include BentoML and Python, so the ratio shows the cost of our code. The first of our starts
creates the catalogue and the index, the others open them. With FOLDER, the last start also ingests
pictures and searches before its memory is read again. Resident memory (RSS) counts a shared page in
each process. Proportional memory (PSS) counts it once, but divides it between all programs that use
it: stop other servers of the same environment. The exit code is 1 if a goal is missed.
"""

import argparse
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from benchmarks import machine
from benchmarks.processes import Process, of_server
from benchmarks.server import free_port
from client_sdk import Client

_PROJECT = Path(__file__).parents[1]
_GOAL_SECONDS = 6.0
_GOAL_BYTES = 500 * 10**6
_MOST_SECONDS = 300
_POLL_SECONDS = 0.02
_SETTLE_SECONDS = 2
_PICTURES = 50
EMPTY = ("bentoml", "serve", "benchmarks.empty_service:Empty", "--host", "127.0.0.1")
"""The arguments of Python that start a server whose services do nothing."""
_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")


@dataclass
class Side:
    """One of the two servers that are compared, and its starts so far.

    Attributes:
        name: The name to print.
        home: The server's BENTOML_HOME, which contains everything that it writes.
        arguments: The arguments of Python, without the port.
        ready: The seconds of each start until `/readyz` succeeded.
        cpu: The CPU seconds of all its processes until then.
        others: The CPU seconds that other programs of the machine used meanwhile.
    """

    name: str
    home: Path
    arguments: Sequence[str]
    ready: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    others: list[float] = field(default_factory=list)

    @contextmanager
    def started(self) -> Iterator[int]:
        """Start the server, record the cost, yield its port, and stop it at the end."""
        port = free_port()
        environment = {
            **os.environ,
            "BENTOML_HOME": str(self.home),
            "BENTOML_DO_NOT_TRACK": "true",
            "BENTOML_PORT": str(port),
            "LOOKALIKE_PORT": str(port),
            "LOOKALIKE_DATA_DIR": str(self.home / "data"),
        }
        command = [sys.executable, "-m", *self.arguments]
        begun, busy = time.perf_counter(), machine.busy_seconds() - machine.own_seconds()
        with (self.home / "log").open("ab") as log:
            process = subprocess.Popen(
                command, env=environment, stdout=log, stderr=log, cwd=_PROJECT
            )
        try:
            _wait_until_ready(port, process, self.home / "log")
            self.ready.append(time.perf_counter() - begun)
            self.cpu.append(sum(used.cpu_seconds for used in of_server(self.home)))
            busy = machine.busy_seconds() - machine.own_seconds() - busy
            self.others.append(max(0.0, busy - self.cpu[-1]))
            yield port
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)

    def printed(self) -> str:
        """Return the time, CPU seconds and load by others of each start as text."""
        return "\n".join(
            f"{self.name:9}  {what:26}" + "".join(f"{value:7.2f}" for value in values)
            for what, values in (
                ("ready after, s", self.ready),
                ("CPU until then, s", self.cpu),
                ("CPU of other programs, s", self.others),
            )
        )


def main() -> int:
    """Measure and print; return 1 if a goal is missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.start", description=__doc__)
    parser.add_argument("--starts", type=int, default=5)
    parser.add_argument("--pictures", type=Path, help=f"a folder; {_PICTURES} are taken")
    parser.add_argument("--models", type=Path, default=Path("data/bentoml/models"))
    options = parser.parse_args()
    print(machine.described())
    with tempfile.TemporaryDirectory() as folder:
        ours, empty = _sides(Path(folder), options.models)
        for number in range(1, options.starts + 1):
            with empty.started():
                beside = _settled(empty)
            with ours.started() as port:
                idle = used = _settled(ours)
                if options.pictures and number == options.starts:
                    _use(port, options.pictures)
                    used = of_server(ours.home)
    print(f"{ours.printed()}\n{empty.printed()}")
    _print_memory("empty, ready", beside)
    _print_memory("ours, ready", idle)
    if options.pictures:
        _print_memory(f"ours, after {_PICTURES} uploads and {_PICTURES} searches", used)
    return _verdict(ours, empty, used)


def _sides(folder: Path, models: Path) -> tuple[Side, Side]:
    for name in ("ours", "empty"):
        (folder / name).mkdir()
    (folder / "ours" / "models").symlink_to(models.resolve())
    ours = Side("ours", folder / "ours", ["bento_service"])
    return ours, Side("empty", folder / "empty", EMPTY)


def _settled(side: Side) -> list[Process]:
    time.sleep(_SETTLE_SECONDS)
    return of_server(side.home)


def _wait_until_ready(port: int, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + _MOST_SECONDS
    while not _is_ready(port):
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"the server did not start:\n{log.read_text()[-2000:]}")
        time.sleep(_POLL_SECONDS)


def _is_ready(port: int) -> bool:
    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


def _use(port: int, folder: Path) -> None:
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in _SUFFIXES)
    chosen = files[:: max(1, len(files) // _PICTURES)][:_PICTURES]
    with Client(f"http://127.0.0.1:{port}", timeout=60) as client:
        client.upload(chosen).wait(timeout=3600)
        for path in chosen:
            client.search(path)


def _print_memory(title: str, processes: Sequence[Process]) -> None:
    print(f"{title:44}   RSS    PSS  MiB")
    rows = [(each.name, each.resident, each.proportional) for each in processes]
    rows.append(("all", sum(row[1] for row in rows), sum(row[2] for row in rows)))
    for name, resident, proportional in rows:
        print(f"  {name:42}{resident / 2**20:6.1f} {proportional / 2**20:6.1f}")


def _verdict(ours: Side, empty: Side, used: Sequence[Process]) -> int:
    ready = statistics.median(ours.ready)
    proportional = sum(each.proportional for each in used)
    times = statistics.median(a / b for a, b in zip(ours.ready, empty.ready, strict=True))
    work = statistics.median(a / b for a, b in zip(ours.cpu, empty.cpu, strict=True))
    print(
        f"ready after {ready:.1f} s (median; goal {_GOAL_SECONDS:.0f}): {times:.2f} times the time "
        f"of the empty server, {work:.2f} times its CPU\n"
        f"{proportional / 10**6:.0f} MB in all (PSS; goal {_GOAL_BYTES / 10**6:.0f})"
    )
    return 0 if ready <= _GOAL_SECONDS and proportional <= _GOAL_BYTES else 1


if __name__ == "__main__":
    sys.exit(main())
