"""Early notice of a shutdown: uvicorn waits for open answers before it ends the lifespan."""

import asyncio
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

_STOPS: tuple[int, ...] = (signal.SIGTERM, signal.SIGINT)
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
    former: dict[int, _Handler] = {}

    def handle(number: int, frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(stop)
        former[number](number, frame)

    for number in _STOPS:
        if callable(handler := signal.getsignal(number)):
            former[number] = handler
            signal.signal(number, handle)
    try:
        yield
    finally:
        for number, handler in former.items():
            if signal.getsignal(number) is handle:
                signal.signal(number, handler)
