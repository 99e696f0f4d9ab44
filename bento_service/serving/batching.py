"""Adaptive batching: the options that hold, and what takes its sting out.

After a burst, BentoML 1.4.39 holds a lone query back for as long as queries waited on average
over the last fifty batches: 715 to 975 ms were measured where describing takes 58, for tens of
seconds, whatever `max_latency_ms` says. While it is learning it holds queries back by a guess of
two seconds a picture. Here neither wait is longer than `MAX_CORK_SECONDS`. What is patched is
private, so BentoML's version is pinned, and a test fails when these names change.
"""

from collections.abc import Callable
from typing import Any

from bentoml._internal.marshal import dispatcher

_NEVER = 10**9
REQUEST_SECONDS = 600
EMBEDDER_OPTIONS: dict[str, Any] = {
    "workers": 1,
    # Of BentoML's own probes, all that still goes over its connections: recycling one breaks them.
    "runner_connection": {"max_requests": _NEVER, "max_age": float(_NEVER)},
    "traffic": {"timeout": REQUEST_SECONDS},
}
MAX_CORK_SECONDS = 0.005
"""The longest that a query is held back in the hope of company."""


def batching_options(max_batch: int) -> dict[str, Any]:
    """Of a method that takes up to so many pictures in one call."""
    return {
        "batchable": True,
        "max_batch_size": max_batch,
        "max_latency_ms": 1000 * REQUEST_SECONDS,
    }


def limit_waiting() -> None:
    """Cap the waits of every dispatcher of this process. Calling it twice is the same as once."""
    setattr(dispatcher.Optimizer, "trigger_refresh", _refreshed)
    setattr(dispatcher.CorkDispatcher, "train_optimizer", _without_training)


_refresh: Callable[[Any], None] = dispatcher.Optimizer.trigger_refresh


def _refreshed(optimizer: Any) -> None:
    _refresh(optimizer)
    optimizer.wait = min(optimizer.wait, MAX_CORK_SECONDS)


async def _without_training(
    _dispatcher: object,
    num_required_reqs: int,
    num_reqs_to_train: int,
    training_batch_size: int,
) -> None:
    """Learn from real queries alone."""
