"""Early notice of a shutdown: uvicorn waits for open answers before it ends the lifespan."""

import asyncio
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

_STOPS = (signal.SIGTERM, signal.SIGINT)
_Handler = Callable[[int, FrameType | None], object]


@contextmanager
def on_shutdown(stop: Callable[[], object]) -> Iterator[None]:
    """Call `stop` on SIGTERM or SIGINT within the block, before the existing handlers.

    `stop` runs on the current event loop. Outside of the main thread, which alone receives signals,
    the block does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    loop = asyncio.get_running_loop()
    handlers = {number: _chained(loop, stop, number) for number in _STOPS}
    chained = {number: handler for number, handler in handlers.items() if handler is not None}
    former = {number: signal.signal(number, handler) for number, handler in chained.items()}
    try:
        yield
    finally:
        for number, handler in chained.items():
            if signal.getsignal(number) is handler:
                signal.signal(number, former[number])


def _chained(
    loop: asyncio.AbstractEventLoop, stop: Callable[[], object], number: signal.Signals
) -> _Handler | None:
    """Return a handler that calls `stop` and then the former handler, if there is one in Python."""
    before = signal.getsignal(number)
    if not callable(before):
        return None
    others: _Handler = before

    def handle(received: int, frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(stop)
        others(received, frame)

    return handle
