"""Comparison of callers that share calls of Milvus Lite with the same calls one by one."""

import statistics
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pymilvus import MilvusClient

from benchmarks.descriptors import Matrix
from benchmarks.index_targets import NEAREST
from bento_service.gallery.milvus_gallery import MilvusGallery

CALLERS = 8
GOAL = 4.0
_ROUNDS = 7
_SECONDS = 3.0
_ROWS_A_CALL = 1000


@dataclass(frozen=True)
class Rate:
    """A side's speed in one round: searches by wall-clock second and by processor second."""

    per_second: float
    per_cpu_second: float


@dataclass(frozen=True)
class Shared:
    """The rounds of both sides, which took turns."""

    bare: list[Rate]
    bare_together: list[Rate]
    shared: list[Rate]

    def described(self, rows: int) -> str:
        """Return the result as text."""
        pairs = list(zip(self.shared, self.bare, strict=True))
        ratios = [ours.per_second / theirs.per_second for ours, theirs in pairs]
        of_cpu = [ours.per_cpu_second / theirs.per_cpu_second for ours, theirs in pairs]
        return (
            f"{CALLERS} callers of Lite at {rows:,}: {_median(self.shared):.1f} searches a second, "
            f"bare calls one by one {_median(self.bare):.1f}, bare calls by {CALLERS} threads "
            f"{_median(self.bare_together):.1f}\n"
            f"ratios of the rounds: {' '.join(f'{ratio:.2f}' for ratio in ratios)}, median "
            f"{statistics.median(ratios):.2f}, goal at least {GOAL:g}\n"
            f"in searches by the second of processor time, which others do not change: "
            f"{statistics.median(of_cpu):.2f}"
        )


def _median(rates: list[Rate]) -> float:
    return statistics.median(rate.per_second for rate in rates)


def measured(base: Matrix, queries: Matrix, folder: Path) -> Shared:
    """Measure in this process.

    Args:
        base: (N, D) descriptors to search.
        queries: (Q, D) other descriptors.
        folder: The folder in which Milvus Lite may write.
    """
    place = str(folder / "callers.db")
    with MilvusGallery(place) as gallery:
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


def _rate(search: Callable[[int], object], callers: int) -> Rate:
    """Return the speed of this number of searching threads."""
    search(0)
    done, end = [0] * callers, time.perf_counter() + _SECONDS

    def search_on(caller: int) -> None:
        while time.perf_counter() < end:
            search(caller + callers * done[caller])
            done[caller] += 1

    threads = [threading.Thread(target=search_on, args=(one,)) for one in range(callers)]
    started, cpu = time.perf_counter(), time.process_time()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    passed, cpu = time.perf_counter() - started, time.process_time() - cpu
    return Rate(sum(done) / passed, sum(done) / cpu)
