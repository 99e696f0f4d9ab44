"""Waits with a time limit, for conditions and for threads.

The limits are far above what the slowest machine needs: they end a test that hangs, and measure
nothing.
"""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

_T = TypeVar("_T")
WAIT_SECONDS = 120.0


def wait_until(
    condition: Callable[[], _T],
    *,
    seconds: float = WAIT_SECONDS,
    pause: float = 0.01,
    message: str | Callable[[], str] = "",
) -> _T:
    """Call a condition until it is true; return its result.

    Args:
        condition: What to wait for.
        seconds: Time limit.
        pause: Seconds between two calls of the condition.
        message: Added to the error, for example the log of a server.

    Raises:
        AssertionError: The condition was not true within the limit.
    """
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        _check(deadline, seconds, message)
        time.sleep(pause)
    return value


async def wait_until_async(
    condition: Callable[[], _T],
    *,
    seconds: float = WAIT_SECONDS,
    pause: float = 0.01,
    message: str | Callable[[], str] = "",
) -> _T:
    """Do the same as `wait_until` in an event loop, which goes on meanwhile."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        _check(deadline, seconds, message)
        await asyncio.sleep(pause)
    return value


def join(*threads: threading.Thread, seconds: float = WAIT_SECONDS) -> None:
    """Wait until all threads have ended.

    Raises:
        AssertionError: One of them still runs after the time limit, which is for all together.
    """
    deadline = time.monotonic() + seconds
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    alive = [thread.name for thread in threads if thread.is_alive()]
    assert not alive, f"still running after {seconds:g} s: {', '.join(alive)}"


@contextmanager
def running(*threads: threading.Thread, stop: Callable[[], object] | None = None) -> Iterator[None]:
    """Start threads, and wait for their end when the block ends, whatever happened in it.

    Args:
        threads: Not started yet.
        stop: Called first at the end of the block, to tell the threads to end.
    """
    for thread in threads:
        thread.daemon = True  # one that hangs fails its test, and lets the session end
        thread.start()
    try:
        yield
    finally:
        if stop is not None:
            stop()
        join(*threads)


def run_threads(*threads: threading.Thread) -> None:
    """Start threads, and wait until all have ended."""
    with running(*threads):
        pass


def _check(deadline: float, seconds: float, message: str | Callable[[], str]) -> None:
    if time.monotonic() > deadline:
        text = message() if callable(message) else message
        raise AssertionError(f"the condition was not true within {seconds:g} s. {text}".rstrip())
