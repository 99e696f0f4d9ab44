"""The machine of a measurement, and its load by other programs."""

import ctypes
import os
import platform
import resource
import time
from datetime import UTC, datetime
from pathlib import Path

from bento_service.serving.process_environment import SERVING

_TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")
_IDLE, _WAITING = 3, 4
_FIELDS_OF_TIME = 8
"""The fields of a line of /proc/stat: user, nice, system, idle, iowait, irq, softirq, steal."""

_MALLOC_OPTIONS = {"MALLOC_TRIM_THRESHOLD_": -1, "MALLOC_MMAP_THRESHOLD_": -3}
_QUIET_SECONDS, _QUIET_SHARE = 3.0, 0.2


def described() -> str:
    """Return one line: date, processor, cores, relevant vector instructions, memory."""
    facts = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.split(":")[1].strip() for line in facts if "model name" in line), "unknown")
    flags = next((line.split(":")[1].split() for line in facts if line.startswith("flags")), [])
    known = [flag for flag in ("avx2", "avx512f", "avx512_vnni", "amx_int8") if flag in flags]
    gibibytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    today = datetime.now(UTC).date().isoformat()
    return (
        f"{today}, {model}, {cores()} cores, {' '.join(known) or 'no avx2'}, {gibibytes:.0f} GiB, "
        f"{platform.system()}, Python {platform.python_version()}"
    )


def cores() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0))


def busy_seconds() -> float:
    """Return the CPU seconds of all programs of the machine, and those stolen by its host."""
    first, *_ = Path("/proc/stat").read_text().splitlines()
    ticks = [int(field) for field in first.split()[1 : 1 + _FIELDS_OF_TIME]]
    return (sum(ticks) - ticks[_IDLE] - ticks[_WAITING]) / _TICKS_A_SECOND


def print_load(elsewhere: float) -> None:
    """Warn if other programs used much of the machine during a measurement.

    Args:
        elsewhere: The share of the machine that they used.
    """
    if elsewhere > _QUIET_SHARE:
        print(
            f"WARNING: other programs used {elsewhere:.0%} of the machine: times and speeds mean "
            "little, and CPU times are upper bounds",
            flush=True,
        )


def await_quiet(seconds: float) -> bool:
    """Wait until most of the processors are idle; return True if they are.

    Args:
        seconds: The longest wait; 0 does not wait.
    """
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        before = busy_seconds()
        time.sleep(_QUIET_SECONDS)
        if busy_seconds() - before < _QUIET_SHARE * _QUIET_SECONDS * cores():
            return True
    return False


def allocate_as_service() -> None:
    """Give this process the memory settings of a serving process."""
    for variable, option in _MALLOC_OPTIONS.items():
        ctypes.CDLL(None).mallopt(option, int(SERVING[variable]))


def own_seconds() -> float:
    """Return the CPU seconds of this process."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def seconds_of(process: Path) -> float:
    """Return the CPU seconds of a process, given by its folder in /proc.

    Raises:
        OSError: The process has ended.
    """
    after_name = (process / "stat").read_text().rpartition(")")[2].split()
    user, system = after_name[11:13]
    return (int(user) + int(system)) / _TICKS_A_SECOND
