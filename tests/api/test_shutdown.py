import asyncio
import os
import signal
import threading

from bento_service.api.shutdown import on_shutdown
from tests.support.waiting import run_threads, wait_until_async


def test_a_stop_signal_is_reported_on_the_loop_and_still_handled():
    loops, received = [], []

    async def run():
        former = signal.signal(signal.SIGTERM, lambda number, _: received.append(number))
        server = signal.getsignal(signal.SIGTERM)
        try:
            with on_shutdown(lambda: loops.append(asyncio.get_running_loop())):
                os.kill(os.getpid(), signal.SIGTERM)
                await wait_until_async(lambda: loops and received)
                assert loops == [asyncio.get_running_loop()]
                assert received == [signal.SIGTERM]
            assert signal.getsignal(signal.SIGTERM) is server
        finally:
            signal.signal(signal.SIGTERM, former)

    asyncio.run(run())


def test_a_signal_without_a_python_handler_is_not_changed():
    async def run():
        former = signal.signal(signal.SIGTERM, signal.SIG_IGN)
        try:
            with on_shutdown(lambda: None):
                assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN
        finally:
            signal.signal(signal.SIGTERM, former)

    asyncio.run(run())


def test_other_threads_receive_no_stop_signal():
    async def run():
        with on_shutdown(lambda: None):
            return signal.getsignal(signal.SIGINT)

    before, seen = signal.getsignal(signal.SIGINT), []
    thread = threading.Thread(target=lambda: seen.append(asyncio.run(run())))
    run_threads(thread)
    assert seen == [before]
