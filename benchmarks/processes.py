"""The processes of a BentoML server, told by its home, and what they use."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from benchmarks import machine

Measured = TypeVar("Measured")

_PARENT, _DECODER = "parent", "decoder"
# It has no environment of ours, but is told whose it is.
_DECODER_OF = re.compile(r"\0bento_service\.vision\.decoder\0(\d+)\0")
_SERVICE = re.compile(r"--service-name\0([^\0]+)")
_KIBIBYTES = re.compile(r"^(Rss|Pss): +(\d+) kB$", re.MULTILINE)


@dataclass(frozen=True)
class Process:
    """What one process uses.

    Attributes:
        name: Of the BentoML service that it runs; or `decoder`, or `parent`.
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
    found = of_each(f"BENTOML_HOME={home}\0".encode(), process_of)
    return sorted(found, key=lambda process: process.name)


def of_each(marker: bytes, measure: Callable[[Path], Measured]) -> list[Measured]:
    """What is measured of each process that has this in its environment, and of their decoders.

    Args:
        marker: A variable with its value.
        measure: Takes a folder of `/proc`.
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
        except OSError:  # it has ended, or is another user's
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
    )
