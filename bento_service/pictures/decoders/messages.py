"""Messages between the service and a decoder: a header of JSON, and bytes.

The service trusts nothing that a decoder answers, so nothing here could run code (as unpickling
could), and lengths are checked before anything is read.
"""

import json
import struct
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

_LENGTHS = struct.Struct("!IQ")
_MAX_HEADER = 2**16

Header = dict[str, Any]
Data = TypeVar("Data", bytes, bytearray)


class BrokenFrame(Exception):
    """What came is no message, or the other side has ended."""


def send(write: Callable[[bytes], object], header: Mapping[str, Any], payload: bytes = b"") -> None:
    """Send one message by a function that writes all that it is given."""
    encoded = json.dumps(header).encode()
    write(_LENGTHS.pack(len(encoded), len(payload)) + encoded)
    if payload:
        write(payload)


def receive(read: Callable[[int], Data], *, max_payload: int) -> tuple[Header, Data]:
    """Receive one message.

    Args:
        read: Reads so many bytes; fewer only where there will be no more.
        max_payload: Most bytes beside the header.

    Raises:
        BrokenFrame: There is none.
    """
    header_length, payload_length = _LENGTHS.unpack(_whole(read, _LENGTHS.size))
    if header_length > _MAX_HEADER or payload_length > max_payload:
        raise BrokenFrame
    try:
        header = json.loads(_whole(read, header_length))
    except (ValueError, RecursionError) as error:
        raise BrokenFrame from error
    if not isinstance(header, dict):
        raise BrokenFrame
    return header, _whole(read, payload_length)


def _whole(read: Callable[[int], Data], length: int) -> Data:
    data = read(length)
    if len(data) != length:
        raise BrokenFrame
    return data
