"""An HTTP proxy that loses connections, requests and answers, between a client and a service."""

import asyncio
import random
import re
import threading
from collections import Counter
from contextlib import suppress
from enum import StrEnum

_BLOCK = 65536
_LENGTH = re.compile(rb"(?i)\r\ncontent-length: *(\d+)")
_KEPT_OPEN = re.compile(rb"(?i)\r\nconnection: [^\r]*")


class Fate(StrEnum):
    """The fault to apply to a request."""

    PASSED = "passed on"
    BEFORE = "connection dropped before the request was read"
    DURING = "connection dropped in the middle of the request"
    AFTER = "answer lost after the service gave it"
    TRUNCATED = "answer cut off in its middle"
    BUSY = "429"
    AWAY = "503"
    NOBODY = "the service was away"


_STATUSES = {Fate.BUSY: b"429 Too Many Requests", Fate.AWAY: b"503 Service Unavailable"}
_FAULTS = (Fate.BEFORE, Fate.DURING, Fate.AFTER, Fate.TRUNCATED, Fate.BUSY, Fate.AWAY)


class FaultyProxy:
    """Listens on a free port of the loopback address, in a thread of its own.

    Attributes:
        fates: How often which was dealt.
        port: Where it listens.
    """

    def __init__(self, target: int, *, share: float, seed: int = 1) -> None:
        """Begin.

        Args:
            target: Port of the loopback address, to which requests go.
            share: Of the requests that meet a fault.
            seed: Of the chance.
        """
        self.fates: Counter[Fate] = Counter()
        self.port = 0
        self._target = target
        self._share = share
        self._chance = random.Random(seed)  # noqa: S311
        self._loop = asyncio.new_event_loop()
        self._listens = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        assert self._listens.wait(60)

    def close(self) -> None:
        """End."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        starting = asyncio.start_server(self._serve, "127.0.0.1", 0)
        server = self._loop.run_until_complete(starting)
        self.port = server.sockets[0].getsockname()[1]
        self._listens.set()
        self._loop.run_forever()
        server.close()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.run_until_complete(asyncio.sleep(0))
        self._loop.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve the requests of one connection; every fault ends it."""
        with suppress(OSError, asyncio.IncompleteReadError):
            while await self._one(reader, writer):
                pass
        writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = await reader.readuntil(b"\r\n\r\n")
        fate = Fate.PASSED
        if self._chance.random() < self._share:
            fate = self._chance.choice(_FAULTS)
        self.fates[fate] += 1
        if fate is Fate.BEFORE:
            return False
        length = _LENGTH.search(head)
        body = await reader.readexactly(int(length[1]) if length else 0)
        if fate in _STATUSES:
            pause = b"Retry-After: 0\r\nContent-Length: 0\r\n\r\n"
            writer.write(b"HTTP/1.1 " + _STATUSES[fate] + b"\r\n" + pause)
            await writer.drain()
            return True
        answer = await self._asked(head, body, only_half=fate is Fate.DURING)
        if answer is None or fate in (Fate.DURING, Fate.AFTER):
            return False
        end = answer.index(b"\r\n\r\n") + 4
        shown = answer if fate is Fate.PASSED else answer[: end + (len(answer) - end) // 2]
        writer.write(shown)
        await writer.drain()
        return fate is Fate.PASSED and _LENGTH.search(answer[:end]) is not None

    async def _asked(self, head: bytes, body: bytes, *, only_half: bool) -> bytes | None:
        """Return the service's answer over a new connection; `None` if there is none."""
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            self.fates[Fate.NOBODY] += 1
            return None
        try:
            writer.write(_KEPT_OPEN.sub(b"", head[:-4]) + b"\r\nConnection: close\r\n\r\n")
            writer.write(body[: len(body) // 2] if only_half else body)
            await writer.drain()
            if only_half:
                return None
            answer = await reader.read()
            whole = _whole(answer)
            self.fates[Fate.NOBODY] += not whole
            return _KEPT_OPEN.sub(b"", answer, count=1) if whole else None
        except OSError:
            self.fates[Fate.NOBODY] += 1
            return None
        finally:
            writer.close()


def _whole(answer: bytes) -> bool:
    """Return true if an answer is complete; it is not if the service was killed."""
    head, found, body = answer.partition(b"\r\n\r\n")
    length = _LENGTH.search(head)
    return bool(found) and (length is None or len(body) == int(length[1]))
