"""Benchmark of the first minute: from a clean clone to the first hit, without and with PyTorch.

    python -m benchmarks.first_minute FOLDER

Each side clones this repository, sets up with an empty package cache (`make model`, after
`make torch` on the side with PyTorch), serves, indexes the pictures of FOLDER (about 60) and
searches for one. The times include the downloads from the package index, 0.3 and 3 GB. The side
with PyTorch needs 12 GB of disk. The exit code is 1 if a goal is missed.
"""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks import machine
from benchmarks.server import free_port
from client_sdk import Client, LookalikeError

_PROJECT = Path(__file__).parents[1]
_GOAL_BYTES = 1.2e9
_SETUP_SECONDS, _START_SECONDS, _INDEX_SECONDS = 3600, 300, 1800


def main() -> int:
    """Measure both sides, print them and return 1 if a goal is missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.first_minute", description=__doc__)
    parser.add_argument("pictures", type=Path)
    options = parser.parse_args()
    print(machine.described())
    sides = {}
    for name, targets in (("without PyTorch", ["model"]), ("with PyTorch", ["torch", "model"])):
        with tempfile.TemporaryDirectory(prefix="first-minute-") as folder:
            sides[name] = _first_hit(Path(folder), targets, options.pictures.resolve())
        seconds, size, tag = sides[name]
        print(
            f"{name:16} {seconds:6.1f} s to the first hit, {size / 1e9:.2f} GB, {tag}", flush=True
        )
    (seconds, size, tag), (slow, large, other) = sides.values()
    print(f"ratio            {slow / seconds:6.2f}                   {large / size:.2f}")
    return 0 if size <= _GOAL_BYTES and seconds < slow and tag == other else 1


def _first_hit(folder: Path, targets: list[str], pictures: Path) -> tuple[float, int, str]:
    """Return the seconds until the first hit, the bytes on disk then, and the model's tag."""
    checkout = folder / "checkout"
    environment = {
        **{name: value for name, value in os.environ.items() if name != "BENTOML_HOME"},
        "UV_CACHE_DIR": str(folder / "uv"),
        "PIP_NO_CACHE_DIR": "1",
        "LOOKALIKE_PORT": str(free_port()),
        "LOOKALIKE_IMAGE_ROOTS": str(pictures),
    }
    begun = time.monotonic()
    subprocess.run(["git", "clone", "-q", _PROJECT, checkout], check=True, timeout=_START_SECONDS)
    setup = ["make", "-s", *targets]
    subprocess.run(setup, cwd=checkout, env=environment, check=True, timeout=_SETUP_SECONDS)
    server = subprocess.Popen(
        ["make", "-s", "run"],
        cwd=checkout,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        with Client(f"http://127.0.0.1:{environment['LOOKALIKE_PORT']}") as client:
            _await_ready(client)
            client.train(str(pictures)).wait(timeout=_INDEX_SECONDS)
            hit = client.search(next(pictures.glob("*.jpg")), top_k=1).hits[0]
        seconds = time.monotonic() - begun
        if hit.score < 0.9999:
            raise RuntimeError(f"the picture itself was not found: {hit}")
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(_START_SECONDS)
    tag = (checkout / "bento_service" / "model_tag.txt").read_text().strip()
    return seconds, _bytes_of(checkout), tag


def _await_ready(client: Client) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while True:
        try:
            client.info()
        except LookalikeError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)
        else:
            return


def _bytes_of(folder: Path) -> int:
    """Return the disk space of a folder in bytes; a file with several links counts once."""
    status = (path.lstat() for path in folder.rglob("*"))
    return 512 * sum({each.st_ino: each.st_blocks for each in status}.values())


if __name__ == "__main__":
    sys.exit(main())
