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
from threading import BoundedSemaphore
from typing import BinaryIO, Generic, Self, TypeVar

from bento_service.errors import (
    ImageTooExpensive,
    ImageUnreadable,
    InvalidArgument,
    LookalikeError,
    Overloaded,
    TooLarge,
    UnsupportedMediaType,
)
from bento_service.pictures.decoders import messages as frames
from bento_service.pictures.decoders.buffers import Buffers, SharedSnapshot
from bento_service.pictures.decoders.fair_turns import BUSY, Turns
from bento_service.pictures.decoders.pool import Pool
from bento_service.pictures.decoders.process import DecoderLimits, DecoderLost, Reason
from bento_service.pictures.formats import MEDIA_TYPES, Colour, Region
from bento_service.pictures.picture import Picture, Snapshot, Source, pixels_of

_T = TypeVar("_T")
_MEBIBYTE = 2**20
# Limits of the quick lane; docs/design.md has the measurements.
_QUICK_BYTES = 16 * _MEBIBYTE
_QUICK_PIXELS = 3_000_000
_QUICK_JPEG_PIXELS = 16_000_000
_QUICK_SECONDS = 0.25
_QUICK_MEMORY_BYTES = 320 * _MEBIBYTE
_CALLERS_FACTOR, _CALLERS_SECONDS = 1.4, 4.2
_REFUSALS: dict[str, type[LookalikeError]] = {
    kind.code: kind
    for kind in (
        UnsupportedMediaType,
        TooLarge,
        ImageUnreadable,
        ImageTooExpensive,
        InvalidArgument,
    )
}


class _Elsewhere(Exception):
    """A picture that is too large for the quick lane."""


@dataclass(frozen=True)
class _Question(Generic[_T]):
    """A request to a decoder.

    Attributes:
        header: The header of the message.
        source: The encoded picture.
        max_payload: Most bytes of an answer.
        understood: Converts an answer to the result.
    """

    header: frames.Header
    source: Source
    max_payload: int
    understood: Callable[[frames.Header, bytearray], _T]

    @property
    def size(self) -> int:
        """The number of bytes of the encoded picture."""
        if isinstance(self.source, bytes):
            return len(self.source)
        if isinstance(self.source, Snapshot):
            return self.source.size
        return self.source.seek(0, os.SEEK_END)


class Decoders:
    """A `Decoder` with two lanes, each with processes of its own; open it with `with`.

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
    ) -> AbstractContextManager[SharedSnapshot]:
        """See `pictures.picture.Decoder`."""
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
        """See `pictures.picture.Decoder`."""

        def understood(told: frames.Header, samples: bytearray) -> Picture:
            return _picture(told, samples, side)

        header = {"make": "square", "side": side, "padding": padding, "region": region}
        return self._answer(_Question(header, source, 3 * side * side, understood), sender)

    def thumbnail(self, source: Source, *, side: int, sender: str | None = None) -> bytes:
        """See `pictures.picture.Decoder`."""
        header = {"make": "thumbnail", "side": side}
        # A WebP is never larger than its raw pixels and a header.
        return self._answer(_Question(header, source, 4 * side * side + 2**16, _webp), sender)

    def _answer(self, question: _Question[_T], sender: str | None) -> _T:
        """Ask in the quick lane, then in the slow lane if necessary."""
        deadline = self._deadline(sender)
        try:
            if question.size <= _QUICK_BYTES:
                with self._place():
                    return self._asked(self.quick, question, deadline, overrun=Reason.SLOW)
        except _Elsewhere:
            pass
        except DecoderLost as lost:
            if lost.reason is not Reason.SLOW:
                raise _explained(lost.reason, sender) from lost
        with self._turns.turn(sender, seconds=deadline - time.monotonic()):
            # The time limit of a job does not include its wait for a turn.
            deadline = self._deadline(sender) if sender is None else deadline
            try:
                return self._asked(self.slow, question, deadline)
            except DecoderLost as lost:
                raise _explained(lost.reason, sender) from lost

    def _asked(
        self, pool: Pool, question: _Question[_T], deadline: float, *, overrun: Reason | None = None
    ) -> _T:
        """Return the answer of a decoder of one lane.

        Args:
            pool: The lane's decoders.
            question: The request.
            deadline: The time limit, on the monotonic clock.
            overrun: The reason to report if the picture exceeds the lane's processor time or
                memory; the actual one if `None`.

        Raises:
            DecoderLost: There was no answer; the decoder is replaced.
            LookalikeError: The decoder rejected the picture.
        """
        # The copy is made after a decoder is free, so that waiting callers hold no copies.
        with pool.process() as process, self._shared(question.source) as picture:
            try:
                told, payload = process.ask(
                    question.header,
                    picture,
                    max_payload=question.max_payload,
                    seconds=deadline - time.monotonic(),
                )
                _check_refusal(told)
                return _trusted(question.understood, told, payload)
            except DecoderLost as lost:
                reason = overrun or lost.reason if lost.reason is Reason.TIME else lost.reason
                pool.lose(process, reason)
                raise DecoderLost(reason) from lost
            except ImageTooExpensive as error:
                pool.lose(process, overrun or Reason.MEMORY)
                if overrun is None:
                    raise
                raise DecoderLost(overrun) from error

    def _shared(self, source: Source) -> AbstractContextManager[SharedSnapshot]:
        if isinstance(source, SharedSnapshot):
            return nullcontext(source)
        return self.snapshot(bytes(source.data) if isinstance(source, Snapshot) else source)

    def _deadline(self, sender: str | None) -> float:
        """Return the time limit of a picture, on the monotonic clock.

        A caller that waits gets an answer soon, even on a busy machine. A job can wait longer.
        """
        if sender is None:
            seconds = self._job_factor * self._limits.seconds
        else:
            seconds = max(_CALLERS_FACTOR * self._limits.seconds, _CALLERS_SECONDS)
        return time.monotonic() + seconds

    @contextmanager
    def _place(self) -> Iterator[None]:
        if not self._places.acquire(timeout=self._free_seconds):
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
        here=(
            min(limits.max_pixels, _QUICK_PIXELS),
            min(limits.max_jpeg_pixels, _QUICK_JPEG_PIXELS),
        ),
    )


def _explained(reason: Reason, sender: str | None) -> LookalikeError:
    """Return the error that tells a caller why its picture was not decoded."""
    if reason is Reason.CLOCK and sender is not None:
        return Overloaded(BUSY)
    if reason in (Reason.CLOCK, Reason.TIME):
        return ImageTooExpensive(
            "decoding the picture takes longer than one picture may; scale it down, or save it "
            "again as a JPEG or a plain PNG, which are quicker to decode than AVIF or WebP"
        )
    return ImageUnreadable("the decoder ended at the picture; save it again as a plain JPEG or PNG")


def _check_refusal(told: frames.Header) -> None:
    """Raise the error that a decoder answered, if any."""
    if told.get("elsewhere"):
        raise _Elsewhere
    if "error" not in told:
        return
    kind, detail = _REFUSALS.get(str(told["error"])), told.get("detail")
    if kind is None or not isinstance(detail, str):
        raise DecoderLost(Reason.DIED)
    raise kind(detail)


def _trusted(
    understood: Callable[[frames.Header, bytearray], _T], told: frames.Header, payload: bytearray
) -> _T:
    try:
        return understood(told, payload)
    except (KeyError, TypeError, ValueError) as error:
        raise DecoderLost(Reason.DIED) from error


def _picture(told: frames.Header, samples: bytearray, side: int) -> Picture:
    """Return the picture that a decoder answered.

    Raises:
        KeyError, TypeError, ValueError: The answer is not a picture.
    """
    width, height, name = told["width"], told["height"], told["format"]
    warnings = tuple(told["warnings"])
    if not (
        isinstance(width, int)
        and isinstance(height, int)
        and min(width, height) > 0
        and name in MEDIA_TYPES
        and all(isinstance(one, str) for one in warnings)
    ):
        raise ValueError("not what a decoder answers")
    return Picture(pixels_of(samples, side), width, height, name, warnings)


def _webp(_: frames.Header, payload: bytearray) -> bytes:
    if not (payload.startswith(b"RIFF") and payload[8:12] == b"WEBP"):
        raise ValueError("not a WebP")
    return bytes(payload)
