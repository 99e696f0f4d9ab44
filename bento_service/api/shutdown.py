"""Hearing of the stop in time: a server waits for open answers before it tells its applications."""

import asyncio
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

_STOPS = (signal.SIGTERM, signal.SIGINT)
_Handler = Callable[[int, FrameType | None], object]


@contextmanager
def told_of_stop(tell: Callable[[], object]) -> Iterator[None]:
    """Within the block, also call `tell` when the process is told to stop.

    It is called on the running event loop; what else a signal does stays as it is. Outside of the
    main thread there are no signals to hear, so nothing happens.

    Args:
        tell: Lets go of what would keep the server waiting.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    loop = asyncio.get_running_loop()
    heard = {number: _with(loop, tell, number) for number in _STOPS}
    chained = {number: handler for number, handler in heard.items() if handler is not None}
    former = {number: signal.signal(number, handler) for number, handler in chained.items()}
    try:
        yield
    finally:
        for number, handler in chained.items():
            if signal.getsignal(number) is handler:
                signal.signal(number, former[number])


def _with(
    loop: asyncio.AbstractEventLoop, tell: Callable[[], object], number: signal.Signals
) -> _Handler | None:
    """A handler that tells and then does as before; none where Python has no say in the signal."""
    before = signal.getsignal(number)
    if not callable(before):
        return None
    others: _Handler = before

    def handle(received: int, frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(tell)
        others(received, frame)

    return handle
