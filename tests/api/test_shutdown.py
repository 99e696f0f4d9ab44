import asyncio
import os
import signal
import threading

from bento_service.api.shutdown import on_shutdown
from tests.support.waiting import run_threads, wait_until_async


def test_a_stop_is_told_on_the_loop_and_does_what_it_did_before():
    told, received = [], []

    async def run():
        former = signal.signal(signal.SIGTERM, lambda number, _: received.append(number))
        server = signal.getsignal(signal.SIGTERM)
        try:
            with on_shutdown(lambda: told.append(asyncio.get_running_loop())):
                os.kill(os.getpid(), signal.SIGTERM)
                await wait_until_async(lambda: told and received)
                assert told == [asyncio.get_running_loop()]
                assert received == [signal.SIGTERM]
            assert signal.getsignal(signal.SIGTERM) is server
        finally:
            signal.signal(signal.SIGTERM, former)

    asyncio.run(run())


def test_a_signal_that_python_does_not_handle_is_left_alone():
    async def run():
        former = signal.signal(signal.SIGTERM, signal.SIG_IGN)
        try:
            with on_shutdown(lambda: None):
                assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN
        finally:
            signal.signal(signal.SIGTERM, former)

    asyncio.run(run())


def test_in_another_thread_there_is_nothing_to_hear():
    async def run():
        with on_shutdown(lambda: None):
            return signal.getsignal(signal.SIGINT)

    before, seen = signal.getsignal(signal.SIGINT), []
    thread = threading.Thread(target=lambda: seen.append(asyncio.run(run())))
    run_threads(thread)
    assert seen == [before]
