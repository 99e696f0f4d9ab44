"""The main program of a decoder process, which receives pictures and returns pixels.

    python -m bento_service.pictures.decoders.child PARENT MAX_PIXELS MAX_JPEG_PIXELS \
        LANE_PIXELS LANE_JPEG_PIXELS MEMORY_BYTES SECONDS

A picture may have MAX_PIXELS. If it has more than LANE_PIXELS, this process reads only its header
and answers that it belongs to the slow lane. Standard input is a socket to the service that started
the process; see `messages` and `process`. The kernel limits the process to MEMORY_BYTES above what
it uses at its start, and to SECONDS of processor time for one picture. The process also ends with
the thread that started it.
"""

import contextlib
import ctypes
import math
import os
import resource
import signal
import socket
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from PIL import AvifImagePlugin

from bento_service.errors import LookalikeError, TooLarge
from bento_service.log_redaction import summary_of
from bento_service.pictures.decoders import messages as frames
from bento_service.pictures.in_process import decode, thumbnail
from client_sdk.decoding.errors import TooManyPixels

_PR_SET_PDEATHSIG = 1
_OPEN_FILES = 32
_NICENESS = 10
_AUTOGROUP_TRIES, _AUTOGROUP_SECONDS = 10, 0.02


@dataclass(frozen=True)
class _Caps:
    """Most pixels of a JPEG, and of other pictures."""

    others: int
    jpeg: int


def main(arguments: list[str]) -> None:
    """Decode pictures until the service closes the socket."""
    parent, *numbers, memory_bytes = map(int, arguments[:6])
    seconds = float(arguments[6])
    sys.excepthook = _report
    _end_with(parent)
    # The service limits parallel decoding, and each thread would need memory of its own.
    AvifImagePlugin.DEFAULT_MAX_THREADS = 1
    _limit(memory_bytes)
    _yield_processor()
    channel = socket.socket(fileno=0)
    accepted, lane = _Caps(*numbers[:2]), _Caps(*numbers[2:])
    frames.send(channel.sendall, {"ready": True})
    with contextlib.suppress(frames.BrokenFrame, OSError):
        while True:
            # No variable may keep a picture alive during the wait for the next one.
            frames.send(channel.sendall, *_next_answer(channel, accepted, lane, seconds))


def _next_answer(
    channel: socket.socket, accepted: _Caps, lane: _Caps, seconds: float
) -> tuple[frames.Header, frames.Payload]:
    header, data = frames.receive_request(channel)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        return _answer(header, data, accepted, lane)
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def _answer(
    header: frames.Header, data: bytes, accepted: _Caps, lane: _Caps
) -> tuple[frames.Header, frames.Payload]:
    try:
        return _made(header, data, lane)
    except TooLarge as error:
        found = cast("TooManyPixels", error.__cause__)
        most = accepted.jpeg if found.scales else accepted.others
        if math.prod(found.size) <= most:
            return {"slow_lane": True}, b""
        detail = str(TooManyPixels(found.size, most, scales=found.scales))
        return {"error": error.code, "detail": detail}, b""
    except LookalikeError as error:
        return {"error": error.code, "detail": str(error)}, b""


def _made(header: frames.Header, data: bytes, lane: _Caps) -> tuple[frames.Header, frames.Payload]:
    caps = {"max_pixels": lane.others, "max_jpeg_pixels": lane.jpeg}
    if header["make"] == "thumbnail":
        return {}, thumbnail(data, side=header["side"], **caps)
    padding, region = header["padding"], header["region"]
    made = decode(
        data,
        side=header["side"],
        padding=padding and tuple(padding),
        region=region and tuple(region),
        **caps,
    )
    names = ("width", "height", "format", "warnings")
    return {name: getattr(made, name) for name in names}, made.samples


def _report(_: object, error: BaseException, __: object) -> None:
    """Write one line to the service's log instead of a stack trace."""
    sys.stderr.write(f"a decoder of pictures ends: {summary_of(error)}\n")


def _end_with(parent: int) -> None:
    """Let the kernel kill this process when the service ends, and ignore signals until then."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit("the service has ended already")
    # A terminal or supervisor signals the whole group, and the service still needs its decoders.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)


def _limit(memory_bytes: int) -> None:
    """Limit this process to its present memory plus `memory_bytes` and to a few open files.

    It cannot write files or core dumps.
    """
    size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    for kind, most in (
        (resource.RLIMIT_AS, size + memory_bytes),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, _OPEN_FILES),
    ):
        resource.setrlimit(kind, (most, most))
    # If the machine runs out of memory, the kernel kills this process first.
    Path("/proc/self/oom_score_adj").write_text("1000")


def _yield_processor() -> None:
    """Let the service and its embedder run first.

    Linux may divide the processor equally among sessions, with niceness only within each one. So a
    decoder has a session of its own, which is nice too.
    """
    os.nice(_NICENESS)
    for _ in range(_AUTOGROUP_TRIES):
        try:
            Path("/proc/self/autogroup").write_text(str(_NICENESS))
        except BlockingIOError:  # the kernel accepts a change every 0.1 s
            time.sleep(_AUTOGROUP_SECONDS)
        except OSError:  # this kernel has no such groups
            return
        else:
            return


if __name__ == "__main__":
    main(sys.argv[1:])
