"""As many decoder processes as pictures may be decoded at once.

One that takes too much time or memory for a picture, or that a picture crashes, is killed and
replaced before its place is free again: only the picture's own caller learns of it.
"""

import logging
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import BinaryIO, Self, TypeVar

from bento_service.decoding.process import DecoderLimits, DecoderLost, DecoderProcess, Reason
from bento_service.errors import (
    ImageTooExpensive,
    ImageUnreadable,
    InvalidArgument,
    LookalikeError,
    NotReady,
    Overloaded,
    TooLarge,
    UnsupportedMediaType,
)
from bento_service.vision import frames
from bento_service.vision.formats import MEDIA_TYPES, Colour, Region
from bento_service.vision.picture import Picture, pixels_of

_T = TypeVar("_T")
_FREE_SECONDS = 30.0
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
_log = logging.getLogger(__name__)


class Decoders:
    """Decoders, each started when it is needed first. A `Decoder`; open it with `with`."""

    def __init__(self, limits: DecoderLimits, *, count: int, at_once: int = 1) -> None:
        """Prepare.

        Args:
            limits: What one picture may take.
            count: Most processes.
            at_once: How many are started beforehand, so that it is known whether they do.
        """
        self._limits = limits
        self._at_once = at_once
        self._places = threading.BoundedSemaphore(count)
        # A decoder ends with the thread that started it, so one thread starts them all.
        self._starter = ThreadPoolExecutor(1, thread_name_prefix="decoder-starter")
        self._idle: deque[DecoderProcess] = deque()
        self._living: set[DecoderProcess] = set()
        self._is_closed = False
        self._counting = threading.Lock()
        self._replaced: Counter[Reason] = Counter()

    def __enter__(self) -> Self:
        try:
            self._idle.extend(self._started() for _ in range(self._at_once))
        except NotReady:
            self._starter.shutdown()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._is_closed = True
        for process in tuple(self._living):
            process.kill()  # whoever waits for one of them ends it
        while self._idle:
            self._idle.pop().end()
        self._starter.shutdown()

    @property
    def replaced(self) -> dict[str, int]:
        """How many decoders were replaced, by reason."""
        with self._counting:
            return {str(reason): self._replaced[reason] for reason in Reason}

    @property
    def pids(self) -> tuple[int, ...]:
        """The living processes."""
        return tuple(process.pid for process in tuple(self._living))

    def decode(
        self,
        source: bytes | BinaryIO,
        *,
        side: int,
        padding: Colour | None = None,
        region: Region | None = None,
    ) -> Picture:
        """See `vision.picture.Decoder`."""

        def understood(told: frames.Header, samples: bytearray) -> Picture:
            return _picture(told, samples, side)

        header = {"make": "square", "side": side, "padding": padding, "region": region}
        return self._asked(header, source, understood, max_payload=3 * side * side)

    def thumbnail(self, source: bytes | BinaryIO, *, side: int) -> bytes:
        """See `vision.picture.Decoder`."""
        header = {"make": "thumbnail", "side": side}
        # Pixels and a header are more than any WebP of them.
        return self._asked(header, source, _webp, max_payload=4 * side * side + 2**16)

    def _asked(
        self,
        header: frames.Header,
        source: bytes | BinaryIO,
        understood: Callable[[frames.Header, bytearray], _T],
        *,
        max_payload: int,
    ) -> _T:
        with self._place():
            data = _bytes_of(source)
            process = self._taken()
            try:
                told, payload = process.ask(header, data, max_payload=max_payload)
                _check_refusal(told)
                answer = _trusted(understood, told, payload)
            except DecoderLost as lost:
                raise self._explained(process, lost.reason) from lost
            except ImageTooExpensive:
                self._replace(process, Reason.MEMORY)
                raise
            except LookalikeError:
                self._give_back(process)
                raise
            self._give_back(process)
            return answer

    @contextmanager
    def _place(self) -> Iterator[None]:
        if not self._places.acquire(timeout=_FREE_SECONDS):
            raise Overloaded("all decoders of pictures are busy; try again shortly")
        try:
            yield
        finally:
            self._places.release()

    def _taken(self) -> DecoderProcess:
        while True:
            try:
                process = self._idle.pop()
            except IndexError:
                return self._started()
            if process.is_alive:
                return process
            self._lose(process, Reason.DIED)

    def _give_back(self, process: DecoderProcess) -> None:
        if self._is_closed:
            self._lose(process, Reason.DIED)
        else:
            self._idle.append(process)

    def _started(self) -> DecoderProcess:
        if self._is_closed:
            raise NotReady("the service is stopping")
        try:
            process = self._starter.submit(DecoderProcess, self._limits).result()
        except (OSError, RuntimeError) as error:  # no room for a process or a thread
            raise NotReady("a decoder of pictures cannot be started; try again") from error
        self._living.add(process)
        try:
            process.wait_until_ready()
        except NotReady:
            self._lose(process, Reason.DIED)
            raise
        return process

    def _explained(self, process: DecoderProcess, reason: Reason) -> LookalikeError:
        """Replace a decoder; what its caller has to know."""
        if self._is_closed:
            self._lose(process, reason)
            return NotReady("the service is stopping")
        self._replace(process, reason)
        if reason is Reason.TIME:
            return ImageTooExpensive(
                "decoding the picture takes longer than one picture may; scale it down, or save "
                "it again as a plain JPEG or PNG"
            )
        return ImageUnreadable(
            "the decoder ended at the picture; save it again as a plain JPEG or PNG"
        )

    def _replace(self, process: DecoderProcess, reason: Reason) -> None:
        self._lose(process, reason)
        with suppress(NotReady):  # then the next caller tries
            self._idle.append(self._started())

    def _lose(self, process: DecoderProcess, reason: Reason) -> None:
        process.end()
        self._living.discard(process)
        if not self._is_closed:
            with self._counting:
                self._replaced[reason] += 1
            _log.warning("decoder %d is of no more use: %s", process.pid, reason)


def _bytes_of(source: bytes | BinaryIO) -> bytes:
    if isinstance(source, bytes):
        return source
    source.seek(0)
    return source.read()


def _check_refusal(told: frames.Header) -> None:
    """Raise what a decoder says of a picture."""
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
