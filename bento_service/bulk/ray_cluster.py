"""A bulk run on a Ray cluster, by Ray Data.

Every call writes one whole file under a name of its own. So a call that Ray repeats, because its
worker or its machine was lost, replaces that file, and nothing is lost or doubled.
"""

import logging
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import ray
import ray.data

from bento_service.admin.answer import Refusal
from bento_service.bulk.steps import Counts, Step

_DIGEST_CPUS = 0.25
"""Computing digests mostly waits for the disk or the network."""

_PART_OF_A_GPU = 0.25


@dataclass(frozen=True, kw_only=True)
class RayCluster:
    """A runner on the cluster that this process is connected to; see `Runner`.

    Attributes:
        actors: The number of processes that describe, each with a model of its own.
        cpus: What each of them takes of a machine's CPUs, for Ray's accounts. Less than one leaves
            room for the actors of a machine that is lost.
        gpus: What each of them takes of a GPU.
    """

    actors: int
    cpus: float
    gpus: float

    def run(
        self, step: Callable[[], Step], numbers: Sequence[int], *, describes: bool
    ) -> Iterator[Counts]:
        """Do a step for each number in actors; each number is a block, which Ray may repeat."""
        if not numbers:
            return
        actors = self.actors if describes else 2 * self.actors
        resources: dict[str, Any] = {"num_cpus": _DIGEST_CPUS}
        if describes:
            resources = {"num_cpus": self.cpus, "num_gpus": self.gpus or None}
        rows = [{"number": number} for number in numbers]
        dataset = ray.data.from_items(rows, override_num_blocks=len(rows))
        done = dataset.map(
            _Actor,
            fn_constructor_args=(step,),
            compute=ray.data.ActorPoolStrategy(size=min(actors, len(rows))),
            **resources,
        )
        yield from done.iter_rows()


@contextmanager
def connected(
    address: str | None, *, actors: int | None, cpus: float, gpus: float | None
) -> Iterator[RayCluster]:
    """Connect to a cluster for the block, or start one on this machine for as long.

    `address` may be `auto` on a machine of the cluster. By default, an actor takes a quarter of a
    GPU, if there are any, and there are as many as have room, or without GPUs one for each CPU.
    """
    # A cluster that starts here reports nothing to Ray's makers and has no dashboard, which would
    # run programs for every user of the machine.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    own = {"address": "local", "include_dashboard": False}
    try:
        ray.init(**({"address": address} if address else own), logging_level="WARNING")
    except Exception as error:  # Ray raises plain ones here
        raise Refusal(f"the Ray cluster does not start or answer: {error}") from error
    ray.data.DataContext.get_current().enable_progress_bars = False
    logging.getLogger("ray.data").setLevel(logging.WARNING)  # it notes each step
    try:
        found = ray.cluster_resources()
        if gpus is None:
            gpus = _PART_OF_A_GPU if found.get("GPU") else 0.0
        room = found.get("GPU", 0.0) / gpus if gpus else found.get("CPU", 1.0)
        yield RayCluster(actors=actors or max(1, int(room)), cpus=cpus, gpus=gpus)
    finally:
        ray.shutdown()


class _Actor:
    """A step as Ray Data calls it."""

    def __init__(self, step: Callable[[], Step]) -> None:
        self._step = step()

    def __call__(self, row: dict[str, int]) -> dict[str, int]:
        return self._step(row["number"])
