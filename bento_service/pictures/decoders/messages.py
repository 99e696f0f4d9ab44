"""Messages between the service and a decoder: a JSON header and bytes.

The bytes of an answer follow its header. The bytes of a request are at the beginning of a file
whose descriptor is sent with the header.

The service does not trust a decoder's answers. So nothing here can run code, as unpickling could,
and lengths are checked before anything is read.
"""

import json
import os
import socket
import struct
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

_LENGTHS = struct.Struct("!IQ")
_MAX_HEADER = 2**16

Header = dict[str, Any]
Payload = bytes | bytearray
Data = TypeVar("Data", bytes, bytearray)


class BrokenFrame(Exception):
    """Received data that is not a message, or a connection that the other side closed."""


def send(
    write: Callable[[Payload], object], header: Mapping[str, Any], payload: Payload = b""
) -> None:
    """Send one message with a function that writes all of its argument."""
    encoded = json.dumps(header).encode()
    write(_LENGTHS.pack(len(encoded), len(payload)) + encoded)
    if payload:
        write(payload)


def send_request(
    channel: socket.socket, header: Mapping[str, Any], *, file: int, size: int
) -> None:
    """Send one message whose bytes are the first `size` bytes of an open file."""
    encoded = json.dumps(header).encode()
    message = _LENGTHS.pack(len(encoded), size) + encoded
    sent = socket.send_fds(channel, [message], [file])
    channel.sendall(message[sent:])


def receive_request(channel: socket.socket) -> tuple[Header, bytes]:
    """Receive a message whose bytes are in an open file, or raise `BrokenFrame`."""
    lengths, files, _, _ = socket.recv_fds(channel, _LENGTHS.size, 1)
    try:
        if len(lengths) != _LENGTHS.size or len(files) != 1:
            raise BrokenFrame
        header_length, size = _LENGTHS.unpack(lengths)
        header = _header(channel.recv(header_length, socket.MSG_WAITALL))
        return header, _whole(lambda count: os.pread(files[0], count, 0), size)
    finally:
        for file in files:
            os.close(file)


def receive(read: Callable[[int], Data], *, max_payload: int) -> tuple[Header, Data]:
    """Receive one message.

    Args:
        read: Reads a number of bytes; fewer only at the end of the stream.
        max_payload: Most bytes after the header.

    Raises:
        BrokenFrame: There is no complete message, or it is too long.
    """
    header_length, payload_length = _LENGTHS.unpack(_whole(read, _LENGTHS.size))
    if header_length > _MAX_HEADER or payload_length > max_payload:
        raise BrokenFrame
    header = _header(_whole(read, header_length))
    return header, _whole(read, payload_length)


def _header(encoded: bytes | bytearray) -> Header:
    try:
        header = json.loads(encoded)
    except (ValueError, RecursionError) as error:
        raise BrokenFrame from error
    if not isinstance(header, dict):
        raise BrokenFrame
    return header


def _whole(read: Callable[[int], Data], length: int) -> Data:
    data = read(length)
    if len(data) != length:
        raise BrokenFrame
    return data
