"""Benchmark of decoding in child processes against decoding in threads of the service.

    python -m benchmarks.decoding [FOLDER] [--seconds N] [--rounds N]

Both sides decode the same pictures, of 500 x 375 and of 12 megapixels, made from the photographs of
FOLDER (those of scikit-image if none is given), as many at once as there are cores. They take
turns, so that a change of the machine's speed affects both: first alone, then while a loop of plain
Python runs in place of the service. The speed of the loop shows how much of Python is left for the
API. The exit code is 1 if a picture takes more CPU than the goal allows. Throughput is meaningful
only on an otherwise idle machine.
"""

import argparse
import importlib.util
import itertools
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks import machine, photos
from benchmarks.processes import Process, process_of
from bento_service.pictures.decoders.decoders import Decoders
from bento_service.pictures.decoders.process import DecoderLimits
from bento_service.pictures.in_process import decode
from bento_service.settings import Settings

GOAL = 1.15
"""The highest ratio of a picture's CPU seconds in processes to those in threads."""
_SIDE, _PADDING = 224, (124, 117, 104)
_SIZES = {"500x375": (photos.SMALL, 32), "4000x3000": (photos.LARGE, 8)}
_MEBIBYTE = 2**20


@dataclass(frozen=True)
class Speed:
    """The speed of one side in one round.

    Attributes:
        pictures: Pictures a second.
        cpu_seconds: CPU seconds for one picture in all processes, without those of the loop.
        beside: Pictures a second while the loop runs.
        loops: Iterations of the plain Python loop a second.
    """

    pictures: float
    cpu_seconds: float
    beside: float
    loops: float

    def by(self, other: "Speed") -> "Speed":
        """Return the ratio of each figure to that of the other side."""
        return Speed(
            self.pictures / other.pictures,
            self.cpu_seconds / other.cpu_seconds,
            self.beside / other.beside,
            self.loops / other.loops,
        )


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.decoding", description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", help="photographs (scikit-image's)")
    parser.add_argument("--seconds", type=float, default=4.0, help="of each measurement (4)")
    parser.add_argument("--rounds", type=int, default=5, help="of both sides (5)")
    options = parser.parse_args()
    print(machine.described(), flush=True)
    machine.allocate_as_service()
    settings, started = Settings(), time.perf_counter()
    limits = DecoderLimits(
        settings.max_pixels,
        settings.max_jpeg_pixels,
        settings.memory_of_decoder,
        seconds=60.0,  # the machine may be busy
    )
    with (
        tempfile.TemporaryDirectory() as name,
        Decoders(limits, count=machine.cores()) as decoders,
    ):
        print(f"a decoder is ready after {1000 * (time.perf_counter() - started):.0f} ms")
        medians = []
        for size, (pixels, count) in _SIZES.items():
            place = Path(name) / size
            photos.make(options.folder or _photographs(), place, size=pixels, count=count)
            encoded = [path.read_bytes() for path in sorted(place.rglob("*.jpg"))]
            print(f"\n{size}: {len(encoded)} pictures of {_mean_kilobytes(encoded):,.0f} kB")
            medians.append(_compared(decoders, encoded, options.rounds, options.seconds))
        for pid in decoders.pids:
            _print_memory(process_of(Path(f"/proc/{pid}")))
    return 0 if max(medians) <= GOAL else 1


def _compared(decoders: Decoders, encoded: list[bytes], rounds: int, seconds: float) -> float:
    """Return the median ratio of a picture's CPU seconds in processes to those in threads."""
    local = partial(decode, max_pixels=10**9)
    _decoded(decoders.decode, encoded, seconds / 4)  # starts all decoders
    ratios: list[Speed] = []
    for _ in range(rounds):
        threads = _measured(local, encoded, seconds, ())
        processes = _measured(decoders.decode, encoded, seconds, decoders.pids)
        ratios.append(processes.by(threads))
        _print_speed("threads", threads)
        _print_speed("processes", processes)
    median = statistics.median(one.cpu_seconds for one in ratios)
    print(
        f"processes by threads, medians: CPU a picture {median:.3f} (goal {GOAL} "
        f"{'reached' if median <= GOAL else 'MISSED'}), throughput "
        f"{statistics.median(one.pictures for one in ratios):.3f}; beside Python: throughput "
        f"{statistics.median(one.beside for one in ratios):.3f}, what Python does "
        f"{statistics.median(one.loops for one in ratios):.2f}"
    )
    return median


def _print_speed(side: str, speed: Speed) -> None:
    print(
        f"{side:10}{speed.pictures:8.1f} pictures/s of {1000 * speed.cpu_seconds:7.2f} ms of CPU; "
        f"beside Python {speed.beside:8.1f} pictures/s and {speed.loops / 1e6:6.2f} million loops/s"
    )


def _measured(
    decode_one: Callable[..., object], encoded: list[bytes], seconds: float, pids: tuple[int, ...]
) -> Speed:
    before = _cpu_seconds(pids)
    done, passed = _decoded(decode_one, encoded, seconds)
    used = _cpu_seconds(pids) - before
    with _counting() as loops:
        beside, beside_passed = _decoded(decode_one, encoded, seconds)
        looped = loops()
    return Speed(done / passed, used / done, beside / beside_passed, looped / beside_passed)


def _decoded(
    decode_one: Callable[..., object], encoded: list[bytes], seconds: float
) -> tuple[int, float]:
    """Decode on all cores for `seconds`; return the number of pictures and the time taken."""
    started = time.perf_counter()

    def work(first: int) -> int:
        following, done = itertools.cycle(encoded[first:] + encoded[:first]), 0
        while time.perf_counter() < started + seconds:
            decode_one(next(following), side=_SIDE, padding=_PADDING)
            done += 1
        return done

    with ThreadPoolExecutor(machine.cores()) as pool:
        done = sum(pool.map(work, range(machine.cores())))
    return done, time.perf_counter() - started


@contextmanager
def _counting() -> Iterator[Callable[[], int]]:
    """Run a loop of plain Python in a thread; yield a function that returns its iterations."""
    loops, is_over = 0, False

    def loop() -> None:
        nonlocal loops
        while not is_over:
            loops += 1

    thread = threading.Thread(target=loop)
    thread.start()
    try:
        yield lambda: loops
    finally:
        is_over = True
        thread.join()


def _cpu_seconds(pids: tuple[int, ...]) -> float:
    return machine.own_seconds() + sum(machine.seconds_of(Path(f"/proc/{pid}")) for pid in pids)


def _print_memory(process: Process) -> None:
    print(
        f"{process.name}: {process.resident / _MEBIBYTE:.1f} MiB resident, "
        f"{process.proportional / _MEBIBYTE:.1f} MiB with its share of shared pages"
    )


def _mean_kilobytes(encoded: list[bytes]) -> float:
    return statistics.mean(len(one) for one in encoded) / 1000


def _photographs() -> Path:
    spec = importlib.util.find_spec("skimage")
    if spec is None or spec.origin is None:
        raise SystemExit("name a folder of photographs, or install scikit-image")
    return Path(spec.origin).parent / "data"


if __name__ == "__main__":
    sys.exit(main())
