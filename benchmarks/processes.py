"""The processes of a BentoML server, identified by its home, and the resources they use."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from benchmarks import machine

Measured = TypeVar("Measured")

EMBEDDER = "vgg16-embedder"
_PARENT, _DECODER = "parent", "decoder"
# A decoder lacks the server's environment; an argument has its parent's process id.
_DECODER_OF = re.compile(r"\0bento_service\.pictures\.decoders\.child\0(\d+)\0")
_SERVICE = re.compile(r"--service-name\0([^\0]+)")
_KIBIBYTES = re.compile(r"^(Rss|Pss): +(\d+) kB$", re.MULTILINE)


@dataclass(frozen=True)
class Process:
    """The resources of one process.

    Attributes:
        name: The name of the BentoML service that it runs, or `decoder`, or `parent`.
        resident: The memory in bytes, with shared pages counted in each process (RSS).
        proportional: The memory in bytes, with shared pages divided between processes (PSS).
        cpu_seconds: The CPU seconds since its start.
        main_seconds: Those of its main thread, where the event loop runs.
    """

    name: str
    resident: int
    proportional: int
    cpu_seconds: float
    main_seconds: float


def of_server(home: Path) -> list[Process]:
    """Return the living processes of the server with this BENTOML_HOME, sorted by name."""
    found = of_each(f"BENTOML_HOME={home}\0".encode(), process_of)
    return sorted(found, key=lambda process: process.name)


def of_each(marker: bytes, measure: Callable[[Path], Measured]) -> list[Measured]:
    """Return a measurement of each process with this environment variable, and of its decoders.

    Args:
        marker: The variable with its value.
        measure: Measures a process, given by its folder in `/proc`.
    """
    main = dict(_found(lambda folder: marker in (folder / "environ").read_bytes(), measure))
    decoders = dict(_found(lambda folder: _parent_of_decoder(folder) in main, measure))
    return [*main.values(), *decoders.values()]


def _found(
    is_wanted: Callable[[Path], bool], measure: Callable[[Path], Measured]
) -> Iterator[tuple[str, Measured]]:
    for folder in Path("/proc").iterdir():
        try:
            if folder.name.isdigit() and is_wanted(folder):
                yield folder.name, measure(folder)
        except OSError:  # it has ended, or belongs to another user
            continue


def _parent_of_decoder(folder: Path) -> str | None:
    decoder = _DECODER_OF.search((folder / "cmdline").read_text(errors="replace"))
    return decoder[1] if decoder else None


def process_of(folder: Path) -> Process:
    service = _SERVICE.search((folder / "cmdline").read_text())
    other = _DECODER if _parent_of_decoder(folder) else _PARENT
    kibibytes = dict(_KIBIBYTES.findall((folder / "smaps_rollup").read_text()))
    return Process(
        name=service[1] if service else other,
        resident=int(kibibytes["Rss"]) << 10,
        proportional=int(kibibytes["Pss"]) << 10,
        cpu_seconds=machine.seconds_of(folder),
        main_seconds=machine.seconds_of(folder / "task" / folder.name),
    )
