"""The processes of a BentoML server, told by its home, and what they use."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks import machine

_PARENT = "parent"
_SERVICE = re.compile(r"--service-name\0([^\0]+)")
_KIBIBYTES = re.compile(r"^(Rss|Pss): +(\d+) kB$", re.MULTILINE)


@dataclass(frozen=True)
class Process:
    """What one process uses.

    Attributes:
        name: Of the BentoML service that it runs, or `parent`.
        resident: Bytes of memory, pages that processes share counted in each (RSS).
        proportional: Bytes of memory, each process charged its share of a shared page (PSS).
        cpu_seconds: Since it was started.
    """

    name: str
    resident: int
    proportional: int
    cpu_seconds: float


def of_server(home: Path) -> list[Process]:
    """The living processes of the server with this BENTOML_HOME, by name."""
    return sorted(_found(f"BENTOML_HOME={home}\0".encode()), key=lambda process: process.name)


def _found(marker: bytes) -> Iterator[Process]:
    for folder in Path("/proc").iterdir():
        try:
            if folder.name.isdigit() and marker in (folder / "environ").read_bytes():
                yield _process(folder)
        except OSError:  # it has ended, or is another user's
            continue


def _process(folder: Path) -> Process:
    service = _SERVICE.search((folder / "cmdline").read_text())
    kibibytes = dict(_KIBIBYTES.findall((folder / "smaps_rollup").read_text()))
    return Process(
        name=service[1] if service else _PARENT,
        resident=int(kibibytes["Rss"]) << 10,
        proportional=int(kibibytes["Pss"]) << 10,
        cpu_seconds=machine.seconds_of(folder),
    )
