"""Callers that search a service, each one query after another, and their waiting times."""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count

import numpy as np

from client_sdk import AsyncClient

STAGES = ("HTTP", "form", "decode", "queue", "describe", "lookup", "index", "join")
"""The stages of a search. `HTTP` has everything outside of the route: the caller's own work, the
connection, the layers around the route, and the answer. `lookup` reads the collection."""
_PATIENCE_SECONDS = 600.0


@dataclass(frozen=True)
class Answered:
    """One query: the milliseconds that its caller waited, and those that the service reports."""

    waited: float
    total: float
    decode: float
    describe: float
    search: float
    index: float
    join: float

    def stages(self, describe_ms: float) -> tuple[float, ...]:
        """Return the milliseconds of each stage, in the order of `STAGES`.

        Args:
            describe_ms: The engine's time for one picture; what describing took longer is `queue`.
        """
        engine = min(self.describe, describe_ms)
        return (
            self.waited - self.total,
            self.total - self.decode - self.describe - self.search,
            self.decode,
            self.describe - engine,
            engine,
            self.search - self.index - self.join,
            self.index,
            self.join,
        )


@dataclass(frozen=True)
class Answers:
    """The answers to all queries of some callers."""

    answered: tuple[Answered, ...]
    seconds: float

    @property
    def per_second(self) -> float:
        """The number of answered queries a second."""
        return len(self.answered) / self.seconds

    def percentile(self, percent: float) -> float:
        """Return a percentile of the milliseconds that callers waited."""
        return float(np.percentile([one.waited for one in self.answered], percent))

    def stages(self, describe_ms: float) -> tuple[float, ...]:
        """Return the median milliseconds of each stage; see `Answered.stages`."""
        each = [one.stages(describe_ms) for one in self.answered]
        return tuple(np.median(each, axis=0).tolist())


def searches(
    url: str,
    pictures: Sequence[bytes],
    *,
    callers: int = 1,
    seconds: float = 0.0,
    at_least: int = 1,
    going_on: Callable[[], bool] = lambda: False,
) -> Answers:
    """Let callers search until all three conditions for the end are met.

    Args:
        url: The service's URL.
        pictures: The queries, sent in turn.
        callers: The number of callers at the same time.
        seconds: The shortest duration.
        at_least: The smallest number of queries.
        going_on: Returns True while the callers must continue.
    """
    return asyncio.run(_searches(url, pictures, callers, seconds, at_least, going_on))


async def _searches(
    url: str,
    pictures: Sequence[bytes],
    callers: int,
    seconds: float,
    at_least: int,
    going_on: Callable[[], bool],
) -> Answers:
    answered: list[Answered] = []
    numbers = count()
    started = time.perf_counter()

    async def ask() -> None:
        while (
            (number := next(numbers)) < at_least
            or time.perf_counter() - started < seconds
            or going_on()
        ):
            answered.append(await _answered(client, pictures[number % len(pictures)]))

    async with AsyncClient(url, timeout=_PATIENCE_SECONDS, retries=0) as client:
        await asyncio.gather(*(ask() for _ in range(callers)))
    return Answers(tuple(answered), time.perf_counter() - started)


async def _answered(client: AsyncClient, picture: bytes) -> Answered:
    began = time.perf_counter()
    answer = await client.search(picture, explain=True)
    waited = 1000 * (time.perf_counter() - began)
    took, how = answer.took_ms, answer.explanation or {}
    return Answered(
        waited,
        took.total,
        took.decode,
        took.describe,
        took.search,
        index=how.get("index_ms", 0.0),
        join=how.get("join_ms", 0.0),
    )
