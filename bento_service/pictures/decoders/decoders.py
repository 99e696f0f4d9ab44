"""Decoders of pictures, in two lanes: one for those that are quick, one for all the others.

Every picture is begun in the first lane, unless its file is large, and may take little there. What
its header or the time shows to be expensive is begun again in the second lane, where senders take
turns, so that the quick ones of others always find a decoder. One that takes too much there as
well, or that crashes a decoder, is refused: only its own caller learns of it.
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
# What is quick; the rest is measured in docs/design.md.
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
    """The picture is not for the lane of the quick ones."""


@dataclass(frozen=True)
class _Question(Generic[_T]):
    """What a decoder is asked.

    Attributes:
        header: For the decoder.
        source: The encoded picture.
        max_payload: Most bytes of an answer.
        understood: What an answer means.
    """

    header: frames.Header
    source: Source
    max_payload: int
    understood: Callable[[frames.Header, bytearray], _T]

    @property
    def size(self) -> int:
        """Bytes of the picture."""
        if isinstance(self.source, bytes):
            return len(self.source)
        if isinstance(self.source, Snapshot):
            return self.source.size
        return self.source.seek(0, os.SEEK_END)


class Decoders:
    """Both lanes, each with processes of its own. A `Decoder`; open it with `with`."""

    def __init__(
        self,
        limits: DecoderLimits,
        *,
        count: int,
        tries: bool = True,
        free_seconds: float = 30.0,
        job_factor: float = 20.0,
    ) -> None:
        """Prepare.

        Args:
            limits: What one picture may take.
            count: Most processes of each lane.
            tries: Start one beforehand, so that it is known whether it does.
            free_seconds: The longest wait for a decoder of the first lane.
            job_factor: A picture of a job may take this many times its processor time by the clock.
        """
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
        """How many decoders were replaced, by reason."""
        replaced = self.quick.lost + self.slow.lost
        return {str(reason): replaced[reason] for reason in Reason}

    @property
    def pids(self) -> tuple[int, ...]:
        """The living processes."""
        return self.quick.pids + self.slow.pids

    def snapshot(
        self, source: bytes | BinaryIO, *, max_bytes: int | None = None
    ) -> AbstractContextManager[SharedSnapshot]:
        """See `vision.picture.Decoder`."""
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
        """See `vision.picture.Decoder`."""

        def understood(told: frames.Header, samples: bytearray) -> Picture:
            return _picture(told, samples, side)

        header = {"make": "square", "side": side, "padding": padding, "region": region}
        return self._answer(_Question(header, source, 3 * side * side, understood), sender)

    def thumbnail(self, source: Source, *, side: int, sender: str | None = None) -> bytes:
        """See `vision.picture.Decoder`."""
        header = {"make": "thumbnail", "side": side}
        # Pixels and a header are more than any WebP of them.
        return self._answer(_Question(header, source, 4 * side * side + 2**16, _webp), sender)

    def _answer(self, question: _Question[_T], sender: str | None) -> _T:
        """Ask in one lane, then in the other where that is needed."""
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
            # A job is not to blame for the time that it has waited.
            deadline = self._deadline(sender) if sender is None else deadline
            try:
                return self._asked(self.slow, question, deadline)
            except DecoderLost as lost:
                raise _explained(lost.reason, sender) from lost

    def _asked(
        self, pool: Pool, question: _Question[_T], deadline: float, *, overrun: Reason | None = None
    ) -> _T:
        """What a decoder of one lane answers.

        Args:
            pool: The lane's decoders.
            question: For one of them.
            deadline: Of the monotonic clock.
            overrun: What it is called there that a picture takes too much.

        Raises:
            DecoderLost: There was no answer; the decoder is replaced.
            LookalikeError: The answer is a refusal.
        """
        # Not before there is a decoder, so that those who wait for one hold no copies.
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
        """Until when a picture may take, of the monotonic clock.

        Somebody who waits for an answer gets one soon, whatever the machine is busy with; a job
        has time.
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
    """Those of the first lane."""
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
    """What a caller has to know."""
    if reason is Reason.CLOCK and sender is not None:
        return Overloaded(BUSY)
    if reason in (Reason.CLOCK, Reason.TIME):
        return ImageTooExpensive(
            "decoding the picture takes longer than one picture may; scale it down, or save it "
            "again as a JPEG or a plain PNG, which are quicker to decode than AVIF or WebP"
        )
    return ImageUnreadable("the decoder ended at the picture; save it again as a plain JPEG or PNG")


def _check_refusal(told: frames.Header) -> None:
    """Raise what a decoder says of a picture."""
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
    """What a decoder says, if it is a picture.

    Raises:
        KeyError, TypeError, ValueError: It is none.
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
