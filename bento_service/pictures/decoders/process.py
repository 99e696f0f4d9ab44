"""The service's side of one decoder process."""

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
from bento_service.pictures.picture import Snapshot

_PACKAGES = Path(__file__).parents[3]
# The packages come last on the path: their folder may be site-packages, which may hold modules with
# the names of the standard library's.
_START = (
    f"import runpy, sys; sys.path.append({str(_PACKAGES)!r}); "
    "runpy.run_module(sys.argv.pop(1), run_name='__main__')"
)
_COMMAND = (
    sys.executable,
    "-E",
    "-s",
    "-P",
    "-W",
    "ignore",
    "-c",
    _START,
    "bento_service.pictures.decoders.child",
)
# A decoder keeps the memory of usual pictures, because allocating it again would cost a third
# of decoding; it frees the memory of large ones. It gets no other variables of the service.
_ENVIRONMENT = {
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_MMAP_THRESHOLD_": str(4 * 2**20),
    "MALLOC_TRIM_THRESHOLD_": str(8 * 2**20),
}
_START_SECONDS = 60.0
_END_SECONDS = 10.0


class Reason(StrEnum):
    """The reason why a decoder has to be replaced.

    `TIME` is processor time, `CLOCK` is wall-clock time. `SLOW` is a picture that is too expensive
    for the quick lane and is decoded again in the slow lane.
    """

    TIME = "time"
    MEMORY = "memory"
    DIED = "died"
    CLOCK = "clock"
    SLOW = "slow"


class DecoderLost(Exception):
    """A decoder that gave no valid answer."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class DecoderLimits:
    """The limits for one picture.

    Attributes:
        memory_bytes: Most memory beyond the decoder's own at its start, in bytes.
        seconds: Most processor time.
        lane_pixels: Most pixels that this decoder decodes, and most of a JPEG; it answers that
            larger pictures belong to the slow lane. No further limit if `None`.
    """

    max_pixels: int
    max_jpeg_pixels: int
    memory_bytes: int
    seconds: float
    lane_pixels: tuple[int, int] | None = None


class DecoderProcess:
    """A decoder for one caller at a time. It ends with the thread that creates this object."""

    def __init__(self, limits: DecoderLimits) -> None:
        """Start the process without waiting until it is ready.

        Raises:
            OSError: The system cannot start another process.
        """
        caps = (limits.max_pixels, limits.max_jpeg_pixels)
        numbers = (*caps, *(limits.lane_pixels or caps), limits.memory_bytes, limits.seconds)
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
                start_new_session=True,  # see `child._yield_processor`
            )
            on_failure.pop_all()
        self._channel = ours

    @property
    def pid(self) -> int:
        """The process id."""
        return int(self._process.pid)

    @property
    def is_alive(self) -> bool:
        """True while the process runs."""
        return self._process.poll() is None

    def wait_until_ready(self) -> None:
        """Wait until the process accepts requests.

        Raises:
            NotReady: The process does not start; its own message is in the service's log.
        """
        try:
            frames.receive(self._read, max_payload=0)
        except (frames.BrokenFrame, OSError) as error:
            raise NotReady("a decoder of pictures does not start; see the service's log") from error

    def ask(
        self, header: frames.Header, picture: Snapshot, *, max_payload: int, seconds: float
    ) -> tuple[frames.Header, bytearray]:
        """Send a request and wait for the answer, at most `seconds` of wall-clock time.

        Raises:
            DecoderLost: There is no valid answer in time. The caller must end the process.
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
        """Kill the process; a caller that waits for its answer gets `DecoderLost`."""
        self._process.kill()

    def end(self) -> None:
        """Kill the process and free its resources. Only the caller that uses it may do this."""
        self.kill()
        self._channel.close()
        with suppress(subprocess.TimeoutExpired):  # the kernel has not yet ended it
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
