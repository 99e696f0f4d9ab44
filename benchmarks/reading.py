"""Benchmark of a picture's CPU time for reading, SHA-256, transfer and perceptual hash.

    python -m benchmarks.reading [FOLDER] [--rounds N]

Three comparisons on the same pictures, of 500 x 375 and of 12 megapixels, made from the photographs
of FOLDER (those of scikit-image if none is given). Each side's CPU seconds include all its
processes. The sides take turns, so that a change of the machine's speed affects both.

- Transfer: a file is read, hashed and passed to another process, as bytes through a socket or
  through the service's shared memory.
- Perceptual hash: ImageHash in eight orientations, or the service's hash.
- Whole: the steps of ingest for a file (read, SHA-256, decode in a process, perceptual hash), and
  decoding alone, of bytes in memory in one process. The goal applies to the difference.
"""

import argparse
import hashlib
import socket
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import imagehash
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks import machine, photos
from benchmarks.decoding import _photographs
from bento_service.pictures.decoders import messages as frames
from bento_service.pictures.decoders.buffers import Buffers
from bento_service.pictures.decoders.decoders import Decoders
from bento_service.pictures.decoders.process import DecoderLimits
from bento_service.pictures.in_process import decode
from bento_service.pictures.perceptual_hash import GreyPicture, hashes_of
from bento_service.settings import Settings

GOALS = {"500x375": 4.0, "4000x3000": 10.0}
"""The most CPU milliseconds of a picture besides decoding and describing, by its size."""
_SIDE = 224
_SIZES = {"500x375": (photos.SMALL, 16, 20), "4000x3000": (photos.LARGE, 6, 4)}
_RECEIVES = """
import socket, sys
from bento_service.pictures.decoders import messages as frames
channel = socket.socket(fileno=0)
requests = channel.makefile("rb")
while True:
    if sys.argv[1] == "pipe":
        frames.receive(requests.read, max_payload=sys.maxsize)
    else:
        frames.receive_request(channel)
    channel.sendall(b".")
"""

_Side = Callable[[Path], object]


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.reading", description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", help="photographs (scikit-image's)")
    parser.add_argument("--rounds", type=int, default=5, help="of all sides (5)")
    options = parser.parse_args()
    print(machine.described(), flush=True)
    machine.allocate_as_service()
    is_reached = True
    for size, (pixels, count, repeats) in _SIZES.items():
        with tempfile.TemporaryDirectory() as name:
            photos.make(options.folder or _photographs(), Path(name), size=pixels, count=count)
            paths = sorted(Path(name).rglob("*.jpg")) * repeats
            is_reached &= _measured(size, paths, options.rounds)
    return 0 if is_reached else 1


def _measured(size: str, paths: list[Path], rounds: int) -> bool:
    """Print all three comparisons; return whether the goal is reached."""
    print(f"\n{size}, medians of {rounds} rounds, CPU a picture:")
    with _peer("pipe") as (piped, pipe_pid), _peer("shared") as (channel, shared_pid):
        buffers = Buffers(kept=1)
        _compared(
            "transfer",
            ("pipe", partial(_through_pipe, piped), (pipe_pid,)),
            ("shared memory", partial(_shared, buffers, channel), (shared_pid,)),
            paths=paths,
            rounds=rounds,
        )
        buffers.close()
    local = partial(decode, side=_SIDE, max_pixels=10**9)
    pixels = {path: local(path.read_bytes()).pixels for path in set(paths)}
    _compared(
        "perceptual hash",
        ("ImageHash", lambda path: _eight_of_imagehash(pixels[path]), ()),
        ("service", lambda path: hashes_of(GreyPicture.of(pixels[path])), ()),
        paths=paths,
        rounds=rounds,
    )
    settings, data = Settings(), {path: path.read_bytes() for path in set(paths)}
    limits = DecoderLimits(10**9, 10**9, settings.memory_of_decoder, seconds=60.0)
    with Decoders(limits, count=1) as decoders:
        alone, whole = _compared(
            "whole",
            ("decoding alone", lambda path: local(data[path]), ()),
            ("as ingest does", partial(_as_ingest, decoders), decoders.pids),
            paths=paths,
            rounds=rounds,
        )
    beside, goal = whole - alone, GOALS[size]
    is_reached = beside <= goal
    print(
        f"  besides decoding {beside:.2f} ms (goal {goal}, {'reached' if is_reached else 'MISSED'})"
    )
    return is_reached


def _compared(
    name: str, *sides: tuple[str, _Side, tuple[int, ...]], paths: list[Path], rounds: int
) -> list[float]:
    """Measure all sides; print and return their medians, in milliseconds."""
    for _, work, _ in sides:
        work(paths[0])
    taken: list[list[float]] = [[] for _ in sides]
    for _ in range(rounds):
        for times, (_, work, pids) in zip(taken, sides, strict=True):
            before = _cpu_seconds(pids)
            for path in paths:
                work(path)
            times.append(1000 * (_cpu_seconds(pids) - before) / len(paths))
    medians = [statistics.median(times) for times in taken]
    said = ", ".join(
        f"{side} {one:.2f} ms" for (side, _, _), one in zip(sides, medians, strict=True)
    )
    print(f"  {name}: {said}; ratio {medians[1] / medians[0]:.2f}", flush=True)
    return medians


@contextmanager
def _peer(kind: str) -> Iterator[tuple[socket.socket, int]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        process = subprocess.Popen([sys.executable, "-c", _RECEIVES, kind], stdin=theirs.fileno())
        try:
            yield ours, process.pid
        finally:
            process.kill()
            process.wait()


def _through_pipe(channel: socket.socket, path: Path) -> None:
    data = path.read_bytes()
    hashlib.sha256(data).hexdigest()
    frames.send(channel.sendall, {}, data)
    channel.recv(1)


def _shared(buffers: Buffers, channel: socket.socket, path: Path) -> None:
    with path.open("rb") as file, buffers.snapshot(file) as snapshot:
        snapshot.sha256  # noqa: B018 - computed when it is asked for
        frames.send_request(channel, {}, file=snapshot.file, size=snapshot.size)
        channel.recv(1)


def _as_ingest(decoders: Decoders, path: Path) -> None:
    with path.open("rb") as file, decoders.snapshot(file) as snapshot:
        snapshot.sha256  # noqa: B018 - computed when it is asked for
        picture = decoders.decode(snapshot, side=_SIDE)
    hashes_of(GreyPicture.of(picture.pixels))


def _eight_of_imagehash(pixels: NDArray[np.uint8]) -> None:
    grey = Image.fromarray(pixels).convert("L").resize((32, 32), Image.Resampling.LANCZOS)
    for side in (grey, grey.transpose(Image.Transpose.FLIP_LEFT_RIGHT)):
        for degrees in (0, 90, 180, 270):
            imagehash.phash(side.rotate(-degrees))


def _cpu_seconds(pids: tuple[int, ...]) -> float:
    return machine.own_seconds() + sum(machine.seconds_of(Path(f"/proc/{pid}")) for pid in pids)


if __name__ == "__main__":
    sys.exit(main())
