"""Answers of decoder processes, which are not trusted and are checked before they are used."""

from collections.abc import Callable
from typing import TypeVar

from bento_service.pictures.decoders.messages import Header
from bento_service.pictures.decoders.process import DecoderLost, Reason
from bento_service.pictures.picture import Picture
from bento_service.pictures.rejections import REJECTIONS
from client_sdk.decoding.formats import MEDIA_TYPES

_T = TypeVar("_T")


class NeedsSlowLane(Exception):
    """A picture that is too large for the quick lane."""


def parsed(parse: Callable[[Header, bytearray], _T], header: Header, payload: bytearray) -> _T:
    """Return the result that `parse` makes of an answer.

    Raises:
        NeedsSlowLane: The picture is too large for the quick lane.
        LookalikeError: The decoder rejected the picture.
        DecoderLost: The answer is not valid.
    """
    if header.get("slow_lane"):
        raise NeedsSlowLane
    if "error" in header:
        kind, detail = REJECTIONS.get(str(header["error"])), header.get("detail")
        if kind is None or not isinstance(detail, str):
            raise DecoderLost(Reason.DIED)
        raise kind(detail)
    try:
        return parse(header, payload)
    except (KeyError, TypeError, ValueError) as error:
        raise DecoderLost(Reason.DIED) from error


def parsed_picture(header: Header, samples: bytearray, *, side: int) -> Picture:
    """Return the picture of an answer.

    Raises:
        KeyError, TypeError, ValueError: The answer is not a picture.
    """
    width, height, name = header["width"], header["height"], header["format"]
    warnings = tuple(header["warnings"])
    if not (
        isinstance(width, int)
        and isinstance(height, int)
        and min(width, height) > 0
        and name in MEDIA_TYPES
        and all(isinstance(warning, str) for warning in warnings)
        and len(samples) == 3 * side * side
    ):
        raise ValueError("not the answer of a decoder")
    return Picture(samples, side, width, height, name, warnings)


def parsed_webp(_: Header, payload: bytearray) -> bytes:
    """Return the thumbnail of an answer, or raise `ValueError` if it is no WebP."""
    if not (payload.startswith(b"RIFF") and payload[8:12] == b"WEBP"):
        raise ValueError("not a WebP")
    return bytes(payload)
