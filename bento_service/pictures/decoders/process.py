"""One decoder process, from the side of the service that started it."""

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from bento_service.errors import NotReady
from bento_service.pictures.decoders import messages as frames
from bento_service.pictures.decoders.buffers import SharedSnapshot

_PACKAGES = Path(__file__).parents[3]
_COMMAND = (
    sys.executable,
    "-E",
    "-s",
    "-W",
    "ignore",
    "-m",
    "bento_service.pictures.decoders.child",
)
# What pictures of usual sizes take is kept for the next one, since asking the system for it anew
# costs a third of decoding; what a large one took goes back. Nothing else of ours gets in.
_ENVIRONMENT = {
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_MMAP_THRESHOLD_": str(4 * 2**20),
    "MALLOC_TRIM_THRESHOLD_": str(8 * 2**20),
}
_START_SECONDS = 60.0
_END_SECONDS = 10.0


class Reason(StrEnum):
    """Why a decoder is of no more use.

    `TIME` is of a processor, `CLOCK` of the wall. `SLOW` is a picture that is begun again among
    the expensive ones.
    """

    TIME = "time"
    MEMORY = "memory"
    DIED = "died"
    CLOCK = "clock"
    SLOW = "slow"


class DecoderLost(Exception):
    """A decoder gave no answer that could be understood."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class DecoderLimits:
    """What one picture may take.

    Attributes:
        max_pixels: Most pixels.
        max_jpeg_pixels: Most pixels of a JPEG.
        memory_bytes: Beside what a decoder needs for itself.
        seconds: Of processor time.
        here: Most pixels that this decoder decodes, and of a JPEG; it says of larger ones that
            they belong elsewhere. All if none are given.
    """

    max_pixels: int
    max_jpeg_pixels: int
    memory_bytes: int
    seconds: float
    here: tuple[int, int] | None = None


class DecoderProcess:
    """A decoder, for one caller at a time. It ends with the thread that makes this object."""

    def __init__(self, limits: DecoderLimits) -> None:
        """Start it, and do not wait.

        Raises:
            OSError: The system has no room for another process.
        """
        caps = (limits.max_pixels, limits.max_jpeg_pixels)
        numbers = (*caps, *(limits.here or caps), limits.memory_bytes, limits.seconds)
        self._deadline = time.monotonic() + _START_SECONDS
        ours, theirs = socket.socketpair()
        with ExitStack() as on_failure, theirs:
            on_failure.enter_context(ours)
            self._process = subprocess.Popen(  # noqa: S603 - our own module, and numbers
                [*_COMMAND, str(os.getpid()), *map(str, numbers)],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                cwd=_PACKAGES,
                env=_ENVIRONMENT,
            )
            on_failure.pop_all()
        self._channel = ours

    @property
    def pid(self) -> int:
        """Its process id."""
        return int(self._process.pid)

    @property
    def is_alive(self) -> bool:
        """Whether it still runs."""
        return self._process.poll() is None

    def wait_until_ready(self) -> None:
        """Wait until it can be asked.

        Raises:
            NotReady: It does not start; what it says itself is in the log.
        """
        try:
            frames.receive(self._read, max_payload=0)
        except (frames.BrokenFrame, OSError) as error:
            raise NotReady("a decoder of pictures does not start; see the service's log") from error

    def ask(
        self, header: frames.Header, picture: SharedSnapshot, *, max_payload: int, seconds: float
    ) -> tuple[frames.Header, bytearray]:
        """Send a request and wait for the answer, so many seconds by the clock.

        Raises:
            DecoderLost: There is none in time. The process has to be ended.
        """
        self._deadline = time.monotonic() + seconds
        try:
            self._channel.settimeout(self._left())
            frames.send_request(self._channel, header, file=picture.file, size=picture.size)
            return frames.receive(self._read, max_payload=max_payload)
        except TimeoutError as error:
            raise DecoderLost(Reason.CLOCK) from error
        except (frames.BrokenFrame, OSError) as error:
            raise DecoderLost(self._why_ended()) from error

    def kill(self) -> None:
        """End it; who waits for its answer loses it."""
        self._process.kill()

    def end(self) -> None:
        """Kill it and give back what it held. Only for its caller."""
        self.kill()
        self._channel.close()
        with suppress(subprocess.TimeoutExpired):  # the kernel has not finished with it
            self._process.wait(_END_SECONDS)

    def _why_ended(self) -> Reason:
        with suppress(subprocess.TimeoutExpired):
            if self._process.wait(1.0) == -signal.SIGPROF:
                return Reason.TIME
        return Reason.DIED

    def _read(self, count: int) -> bytearray:
        received = bytearray(count)
        rest = memoryview(received)
        while rest:
            self._channel.settimeout(self._left())
            length = self._channel.recv_into(rest)
            if not length:
                raise frames.BrokenFrame
            rest = rest[length:]
        return received

    def _left(self) -> float:
        return max(self._deadline - time.monotonic(), 0.001)
