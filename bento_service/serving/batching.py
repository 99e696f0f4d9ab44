"""BentoML's adaptive batching: its options, and patches of its waits.

After a burst, BentoML 1.4.39 delays a single query by the average wait of the last fifty batches,
regardless of `max_latency_ms`. Delays of 715 to 975 ms were measured for tens of seconds, where
describing takes 58 ms. While it learns, it assumes two seconds a picture and delays queries by
that. Here neither wait exceeds `MAX_CORK_SECONDS`.

BentoML sends the next batch only after the answer of the one before, so the engine waits for it.
Here `BATCHES_IN_FLIGHT` are sent. The patched names are private, so BentoML's
version is pinned, and a test fails when they change.
"""

from collections.abc import Callable
from typing import Any

from bentoml._internal.marshal import dispatcher

_NEVER = 10**9
REQUEST_SECONDS = 600
EMBEDDER_OPTIONS: dict[str, Any] = {
    "workers": 1,
    # Only BentoML's own probes use these connections, and recycling a connection breaks them.
    "runner_connection": {"max_requests": _NEVER, "max_age": float(_NEVER)},
    # A cloud adds a replica for so many requests in flight. Nothing is rejected at that number.
    "traffic": {"timeout": REQUEST_SECONDS, "concurrency": 32},
    "resources": {"cpu": "2", "memory": "1Gi"},
}
MAX_CORK_SECONDS = 0.005
"""The longest delay of a query that waits for others to share its batch."""
BATCHES_IN_FLIGHT = 2


def batching_options(max_batch: int) -> dict[str, Any]:
    """Return the options of a method that takes up to `max_batch` pictures in one call."""
    return {
        "batchable": True,
        "max_batch_size": max_batch,
        "max_latency_ms": 1000 * REQUEST_SECONDS,
    }


def limit_waiting() -> None:
    """Limit the waits of queries and of the engine in this process; repeated calls do no harm."""
    setattr(dispatcher.Optimizer, "trigger_refresh", _refreshed)
    setattr(dispatcher.CorkDispatcher, "train_optimizer", _begin_without_training)


_refresh: Callable[[Any], None] = dispatcher.Optimizer.trigger_refresh


def _refreshed(optimizer: Any) -> None:
    _refresh(optimizer)
    optimizer.wait = min(optimizer.wait, MAX_CORK_SECONDS)


async def _begin_without_training(cork: Any, *_: int) -> None:
    """Let a dispatcher learn from real queries only; BentoML calls this before the first query."""
    setattr(cork, "_sema", dispatcher.NonBlockSema(BATCHES_IN_FLIGHT))
