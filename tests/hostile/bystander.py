"""Somebody who searches with a sound picture all the time: `python -m tests.hostile.bystander URL`.

It is a process of its own, so that its seconds are the service's and not those of who attacks. It
prints them, one search a line, until its standard input is closed.
"""

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from tests.hostile.made import encoded, small
from tests.support.processes import child

_PAUSE_SECONDS = 0.1
_TIME_LIMIT = 60.0
_LIFE_SECONDS = 4 * 60 * 60.0  # the whole campaign takes more than an hour
_BEGUN = "begun"


def main(url: str) -> None:
    """Search, and pause, and search."""
    picture, ended = encoded(small(77), "PNG"), threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
    with httpx.Client(base_url=url, timeout=_TIME_LIMIT) as client:
        _search(client, picture)  # the first one connects
        print(_BEGUN, flush=True)
        while not ended.wait(_PAUSE_SECONDS):
            print(_search(client, picture), flush=True)


def _search(client: httpx.Client, picture: bytes) -> float:
    started = time.perf_counter()
    client.post("/api/v2/search", files={"file": ("a.png", picture)}).raise_for_status()
    return time.perf_counter() - started


@contextmanager
def searching(url: str) -> Iterator[list[float]]:
    """Have one search; the list has the seconds of each of its searches in the end."""
    seconds: list[float] = []
    command = [sys.executable, "-m", "tests.hostile.bystander", url]
    options = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with child(command, life_seconds=_LIFE_SECONDS, **options) as process:
        assert process.stdout is not None
        assert process.stdout.readline().strip() == _BEGUN
        yield seconds
        printed, _ = process.communicate(timeout=2 * _TIME_LIMIT)
    assert process.returncode == 0, "the bystander was not answered"
    seconds += map(float, printed.split())


if __name__ == "__main__":
    main(sys.argv[1])
