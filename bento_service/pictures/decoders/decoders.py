"""Decoders of pictures in two lanes: one for quick pictures, one for expensive ones.

Every picture starts in the quick lane, with tight limits, unless its file is large. If its header
or the time limit shows that it is expensive, it is decoded again in the slow lane. Senders take
turns there, so quick pictures of other senders always find a decoder. A picture that exceeds the
limits of the slow lane, or crashes a decoder, is rejected. Only its own caller sees the error.
"""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from threading import BoundedSemaphore
from typing import BinaryIO, Generic, Self, TypeVar

from bento_service.errors import ImageTooExpensive, ImageUnreadable, LookalikeError, Overloaded
from bento_service.pictures.decoders import answers
from bento_service.pictures.decoders.answers import NeedsSlowLane
from bento_service.pictures.decoders.buffers import Buffers
from bento_service.pictures.decoders.fair_turns import BUSY, Turns
from bento_service.pictures.decoders.messages import Header
from bento_service.pictures.decoders.pool import Pool
from bento_service.pictures.decoders.process import DecoderLimits, DecoderLost, Reason
from bento_service.pictures.picture import Picture, Snapshot, Source
from client_sdk.decoding.formats import Colour, Region

_T = TypeVar("_T")
_MEBIBYTE = 2**20
# Limits of the quick lane; docs/design.md has the measurements.
_QUICK_BYTES = 16 * _MEBIBYTE
_QUICK_PIXELS = 3_000_000
_QUICK_JPEG_PIXELS = 16_000_000
_QUICK_SECONDS = 0.25
_QUICK_MEMORY_BYTES = 320 * _MEBIBYTE
_CALLERS_FACTOR, _CALLERS_SECONDS = 1.4, 4.2


@dataclass(frozen=True)
class _Request(Generic[_T]):
    """A request to a decoder, the most bytes of its answer, and the parser of the answer."""

    header: Header
    source: Source
    max_payload: int
    parse: Callable[[Header, bytearray], _T]

    @property
    def size(self) -> int:
        """The number of bytes of the encoded picture."""
        if isinstance(self.source, bytes):
            return len(self.source)
        if isinstance(self.source, Snapshot):
            return self.source.size
        return self.source.seek(0, os.SEEK_END)


class Decoders:
    """A decoder of untrusted pictures; open it with `with`. Threads may share it.

    It has two lanes, each with processes of its own. `decode` and `thumbnail` raise:
        UnsupportedMediaType: The picture has no supported format.
        TooLarge: The picture has more pixels than are accepted.
        ImageUnreadable: The picture is truncated or corrupt.
        ImageTooExpensive: The picture takes more time or memory than one picture may.
        NotReady, Overloaded: The picture is not the cause; try again.

    Args:
        limits: The limits for one picture.
        count: Most processes of each lane.
        tries: Start one process when opened, to check that decoders can start.
        free_seconds: The longest wait for a decoder of the quick lane.
        job_factor: The wall-clock limit of a job's picture, as a multiple of its processor time.
    """

    def __init__(
        self,
        limits: DecoderLimits,
        *,
        count: int,
        tries: bool = True,
        free_seconds: float = 30.0,
        job_factor: float = 20.0,
    ) -> None:
        self._limits = limits
        self._free_seconds = free_seconds
        self._job_factor = job_factor
        self._places = BoundedSemaphore(count)
        self._turns = Turns(count)
        self._tries = tries
        self.quick = Pool(_quick(limits), count=count, keeps_spare=True)
        self.slow = Pool(limits, count=count)
        self._buffers = Buffers(kept=count)
        self._closing = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as opened:
            opened.callback(self._buffers.close)
            opened.enter_context(self.quick)
            opened.enter_context(self.slow)
            if self._tries:
                self.quick.start()
            self._closing = opened.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._turns.close()
        self._closing.close()

    @property
    def replaced(self) -> dict[str, int]:
        """The number of replaced decoders, by reason."""
        replaced = self.quick.lost + self.slow.lost
        return {str(reason): replaced[reason] for reason in Reason}

    @property
    def pids(self) -> tuple[int, ...]:
        """The ids of the living processes."""
        return self.quick.pids + self.slow.pids

    def snapshot(
        self, source: bytes | BinaryIO, *, max_bytes: int | None = None
    ) -> AbstractContextManager[Snapshot]:
        """Read at most `max_bytes` once, so that digest and pixels have the same bytes.

        Raises:
            Overloaded: There is not enough memory, or too many files are open.
        """
        return self._buffers.snapshot(source, max_bytes=max_bytes)

    def decode(
        self,
        source: Source,
        *,
        side: int,
        padding: Colour | None = None,
        region: Region | None = None,
        sender: str | None = None,
    ) -> Picture:
        """Decode a picture and make it a square.

        Args:
            source: The encoded picture; a snapshot of the same decoder is not copied.
            side: The side of the square, in pixels.
            padding: See `pictures.in_process.decode`.
            region: See there.
            sender: The caller that waits for the answer; `None` for a job. Senders of expensive
                pictures take turns.

        Raises:
            InvalidArgument: `region` is empty or not inside the picture.
        """
        header = {"make": "square", "side": side, "padding": padding, "region": region}
        parse = partial(answers.parsed_picture, side=side)
        return self._answer(_Request(header, source, 3 * side * side, parse), sender)

    def thumbnail(self, source: Source, *, side: int, sender: str | None = None) -> bytes:
        """Return a small upright WebP that fits in a square of `side` pixels, without metadata."""
        header = {"make": "thumbnail", "side": side}
        most = 4 * side * side + 2**16  # a WebP is never larger than its raw pixels and a header
        return self._answer(_Request(header, source, most, answers.parsed_webp), sender)

    def _answer(self, request: _Request[_T], sender: str | None) -> _T:
        """Ask in the quick lane, then in the slow lane if necessary."""
        deadline = self._deadline(sender)
        try:
            if request.size <= _QUICK_BYTES:
                with self._place(deadline):
                    return self._asked(self.quick, request, deadline, overrun=Reason.SLOW)
        except NeedsSlowLane:
            pass
        except DecoderLost as lost:
            if lost.reason is not Reason.SLOW:
                raise _explained(lost.reason, sender) from lost
        with self._turns.turn(sender, seconds=deadline - time.monotonic()):
            # The time limit of a job does not include its wait for a turn.
            deadline = self._deadline(sender) if sender is None else deadline
            try:
                return self._asked(self.slow, request, deadline)
            except DecoderLost as lost:
                raise _explained(lost.reason, sender) from lost

    def _asked(
        self, pool: Pool, request: _Request[_T], deadline: float, *, overrun: Reason | None = None
    ) -> _T:
        """Return the answer of a decoder of one lane.

        `overrun` replaces the reason if the picture exceeds the lane's processor time or memory.

        Raises:
            DecoderLost: There was no answer; the decoder is replaced.
            LookalikeError: The decoder rejected the picture.
        """
        # The copy is made after a decoder is free, so that waiting callers hold no copies.
        with pool.process() as process, self._shared(request.source) as picture:
            try:
                header, payload = process.ask(
                    request.header,
                    picture,
                    max_payload=request.max_payload,
                    seconds=deadline - time.monotonic(),
                )
                return answers.parsed(request.parse, header, payload)
            except DecoderLost as lost:
                reason = overrun or lost.reason if lost.reason is Reason.TIME else lost.reason
                pool.lose(process, reason)
                raise DecoderLost(reason) from lost
            except ImageTooExpensive as error:
                pool.lose(process, overrun or Reason.MEMORY)
                if overrun is None:
                    raise
                raise DecoderLost(overrun) from error

    def _shared(self, source: Source) -> AbstractContextManager[Snapshot]:
        if isinstance(source, Snapshot):
            return nullcontext(source)
        return self.snapshot(source)

    def _deadline(self, sender: str | None) -> float:
        """Return the time limit of a picture, on the monotonic clock.

        A caller that waits gets an answer soon, even on a busy machine. A job can wait longer.
        """
        if sender is None:
            return time.monotonic() + self._job_factor * self._limits.seconds
        return time.monotonic() + max(_CALLERS_FACTOR * self._limits.seconds, _CALLERS_SECONDS)

    @contextmanager
    def _place(self, deadline: float) -> Iterator[None]:
        """Wait for a decoder of the quick lane, and leave time for the picture itself."""
        seconds = min(self._free_seconds, deadline - time.monotonic() - _QUICK_SECONDS)
        if not self._places.acquire(timeout=seconds):
            raise Overloaded("all decoders of pictures are busy; try again shortly")
        try:
            yield
        finally:
            self._places.release()


def _quick(limits: DecoderLimits) -> DecoderLimits:
    """Return the limits of the quick lane."""
    return replace(
        limits,
        memory_bytes=min(limits.memory_bytes, _QUICK_MEMORY_BYTES),
        seconds=min(limits.seconds, _QUICK_SECONDS),
        lane_pixels=(
            min(limits.max_pixels, _QUICK_PIXELS),
            min(limits.max_jpeg_pixels, _QUICK_JPEG_PIXELS),
        ),
    )


def _explained(reason: Reason, sender: str | None) -> LookalikeError:
    """Return the error for a picture that was not decoded."""
    if reason is Reason.CLOCK and sender is not None:
        return Overloaded(BUSY)
    if reason in (Reason.CLOCK, Reason.TIME):
        return ImageTooExpensive(
            "decoding the picture takes longer than one picture may; scale it down, or save it "
            "again as a JPEG or a plain PNG, which are quicker to decode than AVIF or WebP"
        )
    return ImageUnreadable("the decoder ended at the picture; save it again as a plain JPEG or PNG")
