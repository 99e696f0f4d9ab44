import asyncio
import signal
import subprocess
import sys
import threading

from bento_service.api.shutdown import on_shutdown
from tests.support.forge import PROJECT
from tests.support.waiting import run_threads

# In a process of its own: a signal that goes astray would end all tests.
_STOPPED = """if True:
    import asyncio, os, signal
    from bento_service.api.shutdown import on_shutdown

    async def run():
        received = []
        server = lambda number, frame: received.append(number)
        signal.signal(signal.SIGTERM, server)
        loops = asyncio.Queue()
        with on_shutdown(lambda: loops.put_nowait(asyncio.get_running_loop())):
            os.kill(os.getpid(), signal.SIGTERM)
            assert await asyncio.wait_for(loops.get(), 60) is asyncio.get_running_loop()
            assert received == [signal.SIGTERM]
        assert signal.getsignal(signal.SIGTERM) is server

    asyncio.run(run())
"""


def test_a_stop_signal_is_reported_on_the_loop_and_still_handled():
    ended = subprocess.run([sys.executable, "-c", _STOPPED], cwd=PROJECT, timeout=120, check=False)
    assert ended.returncode == 0


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
