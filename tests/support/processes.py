"""Child processes that end with the block, or with the process, that started them."""

import os
import random
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import cycle
from pathlib import Path
from typing import Any

_LIFE_SECONDS = 300.0
_END_SECONDS = 30.0
_WORKERS = 16
_WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % _WORKERS
_PORTS = range(12_000 + _WORKER, 32_000, _WORKERS)
# Not `random.sample`: Hypothesis seeds it alike in all processes.
_ports = cycle(random.SystemRandom().sample(_PORTS, len(_PORTS)))


def bound_to_parent(signal_name: str, *command: str | Path) -> list[str | Path]:
    """Return a command to which the kernel sends a signal when the thread that starts it ends.

    A pytest that is killed runs no fixture's end, and would leave its servers running.
    """
    return ["setpriv", "--pdeathsig", signal_name, *command]


@contextmanager
def child(
    command: Sequence[str | Path], *, life_seconds: float = _LIFE_SECONDS, **options: Any
) -> Iterator["subprocess.Popen[Any]"]:
    """Start a process in a process group of its own, and kill the group when the block ends.

    `with subprocess.Popen(...)` waits without a limit when an assertion in its block fails; this
    one never waits for a process that nobody ends. A read from its pipes cannot hang either,
    because the process is killed after some minutes.

    Args:
        command: The program and its arguments.
        life_seconds: The process is killed after this time at the latest.
        options: Passed to `subprocess.Popen`.
    """
    process = subprocess.Popen(command, start_new_session=True, **options)
    watchdog = threading.Timer(life_seconds, kill_group, (process,))
    watchdog.daemon = True
    watchdog.start()
    try:
        yield process
    finally:
        watchdog.cancel()
        kill_group(process)
        process.wait(_END_SECONDS)
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe is not None:
                with suppress(BrokenPipeError):
                    pipe.close()


def terminate(process: "subprocess.Popen[Any]", *, seconds: float = 60.0) -> None:
    """Ask a process to end and wait for it; kill one that does not end in time.

    Raises:
        subprocess.TimeoutExpired: It had to be killed.
    """
    process.terminate()
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(_END_SECONDS)
        raise


def kill_group(process: "subprocess.Popen[Any]") -> None:
    """Kill a process that leads a group, and the others of its group."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def free_ports(number: int) -> list[int]:
    """Return TCP ports on which nobody listens, none of them twice.

    They lie below the range of outgoing connections, so no connection takes one before its server.
    Each worker of xdist has ports of its own, because a server that a test restarts does not listen
    for a moment.
    """
    ports: list[int] = []
    while len(ports) < number:
        port = next(_ports)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            ports.append(port)
    return ports


def free_port() -> int:
    """Return one such port."""
    return free_ports(1)[0]


@contextmanager
def refusing_port() -> Iterator[int]:
    """Yield a TCP port of the loopback address that refuses connections."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and never listens
        yield int(taken.getsockname()[1])


def is_gone(pid: int) -> bool:
    """Return whether a process has ended, even if its parent has not asked for its exit code."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except OSError:
        return True


def processor_ticks(pid: int) -> int:
    """Return the processor time that a process has used, in clock ticks of the system."""
    words = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return sum(int(word) for word in words[11:13])
