"""The cores that this process may use: those of its affinity, within the CPU quotas of its cgroups.

`docker run --cpus`, a pod's CPU limit and systemd's `CPUQuota=` set such a quota.
"""

import math
import os
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path, PurePath

_SYSTEM = Path("/")
_GROUP = re.compile(r"^\d+:([^:]*):(/.*)$", re.MULTILINE)
_MOUNT = re.compile(r"^\d+ \d+ \S+ (/\S*) (/\S*) .* - (cgroup2?) \S* (\S*)$", re.MULTILINE)
_UNIFIED = ""
"""The controllers that `/proc/self/cgroup` names for version 2, which has one group for all."""


def usable_cores(root: Path = _SYSTEM, *, affinity: int | None = None) -> int:
    """Return the number of cores; a quota of one and a half counts as two.

    Args:
        root: The folder that holds `proc` and `sys`.
        affinity: The cores that the process may run on; by default those that the kernel names.
    """
    cores = len(os.sched_getaffinity(0)) if affinity is None else affinity
    return max(1, math.ceil(min([cores, *map(_quota, _groups(root))])))


def _groups(root: Path) -> Iterator[Path]:
    """Yield the folders of the process's groups and of the groups above them."""
    own = {
        controller: PurePath(path)
        for controllers, path in _GROUP.findall(_text(root / "proc/self/cgroup"))
        for controller in controllers.split(",")
    }
    for mounted, point, kind, options in _MOUNT.findall(_text(root / "proc/self/mountinfo")):
        controller = _UNIFIED if kind == "cgroup2" else "cpu"
        if controller not in own or controller not in (_UNIFIED, *options.split(",")):
            continue
        # A container may see its own group as the top of all groups.
        path = own[controller]
        below = path.relative_to(mounted).parts if path.is_relative_to(mounted) else ()
        for depth in range(len(below) + 1):
            yield root.joinpath(point.lstrip("/"), *below[:depth])


def _quota(group: Path) -> float:
    """Return the cores that a group may use on average, or infinity."""
    fields = _text(group / "cpu.max").split() or [
        _text(group / "cpu.cfs_quota_us"),
        _text(group / "cpu.cfs_period_us"),
    ]
    with suppress(ValueError):  # version 2 writes `max` for no quota, and version 1 writes -1
        microseconds, period = map(int, fields)
        if microseconds > 0 and period > 0:
            return microseconds / period
    return math.inf


def _text(file: Path) -> str:
    with suppress(OSError):
        return file.read_text()
    return ""
