"""What callers get who share calls of Milvus Lite, against the same calls one by one."""

import statistics
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pymilvus import MilvusClient

from benchmarks.descriptors import Matrix
from benchmarks.index_targets import NEAREST
from bento_service.gallery.gallery import Gallery

CALLERS = 8
GOAL = 4.0
_ROUNDS = 7
_SECONDS = 3.0
_ROWS_A_CALL = 1000


@dataclass(frozen=True)
class Shared:
    """Searches per second of each round, both sides in turn."""

    bare: list[float]
    bare_together: list[float]
    shared: list[float]

    @property
    def ratio(self) -> float:
        """Of the shared calls to the bare ones, median of the rounds."""
        return statistics.median(
            ours / theirs for ours, theirs in zip(self.shared, self.bare, strict=True)
        )

    def described(self, rows: int) -> str:
        """For people."""
        ratios = [ours / theirs for ours, theirs in zip(self.shared, self.bare, strict=True)]
        return (
            f"{CALLERS} callers of Lite at {rows:,}: {statistics.median(self.shared):.1f} searches "
            f"a second, bare calls one by one {statistics.median(self.bare):.1f}, bare calls by "
            f"{CALLERS} threads {statistics.median(self.bare_together):.1f}\n"
            f"ratios of the rounds: {' '.join(f'{ratio:.2f}' for ratio in ratios)}, median "
            f"{self.ratio:.2f}, goal at least {GOAL:g}"
        )


def measured(base: Matrix, queries: Matrix, folder: Path) -> Shared:
    """Measure in this process.

    Args:
        base: (N, D) descriptors that are searched.
        queries: (Q, D) others.
        folder: Where Milvus Lite may write.
    """
    place = str(folder / "callers.db")
    with Gallery(place) as gallery:
        gallery.open("callers", base.shape[1])
        for at in range(0, len(base), _ROWS_A_CALL):
            some = base[at : at + _ROWS_A_CALL]
            gallery.upsert("callers", range(at, at + len(some)), list(some))
        gallery.flush("callers")
        client = MilvusClient(place)

        def bare(number: int) -> object:
            return client.search(
                "callers",
                [queries[number % len(queries)]],
                limit=NEAREST + 1,
                search_params={"metric_type": "IP"},
                output_fields=["id"],
            )

        def shared(number: int) -> object:
            return gallery.search("callers", queries[number % len(queries)], top_k=NEAREST + 1)

        rounds = [
            (_rate(bare, 1), _rate(bare, CALLERS), _rate(shared, CALLERS)) for _ in range(_ROUNDS)
        ]
    one, together, ours = zip(*rounds, strict=True)
    return Shared(list(one), list(together), list(ours))


def _rate(search: Callable[[int], object], callers: int) -> float:
    """Searches per second of so many threads."""
    search(0)
    done, end = [0] * callers, time.perf_counter() + _SECONDS

    def search_on(caller: int) -> None:
        while time.perf_counter() < end:
            search(caller + callers * done[caller])
            done[caller] += 1

    threads = [threading.Thread(target=search_on, args=(one,)) for one in range(callers)]
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(done) / (time.perf_counter() - started)
