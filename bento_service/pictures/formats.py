"""The picture formats that are read, and by which bytes they begin."""

import struct

MEDIA_TYPES = {
    "JPEG": "image/jpeg",
    "PNG": "image/png",
    "WEBP": "image/webp",
    "GIF": "image/gif",
    "BMP": "image/bmp",
    "TIFF": "image/tiff",
    "AVIF": "image/avif",
}
"""By Pillow's names, with the media types that they are served as."""

Colour = tuple[int, int, int]
"""Red, green, blue, 0..255."""
Region = tuple[int, int, int, int]
"""`(x, y, width, height)` in pixels of the upright picture."""

_SIGNATURES = (
    b"\xff\xd8\xff",
    b"\x89PNG",
    b"GIF8",
    b"BM",
    b"II*\x00",
    b"MM\x00*",
    b"II+\x00",
    b"MM\x00+",
)
_BRANDS = (b"ftypavif", b"ftypavis")


BEGINNING = 30
"""Bytes of a file that the functions below look at."""


def begins_like_a_picture(beginning: bytes) -> bool:
    """Whether a file that begins so is of a format that is read."""
    return _is_webp(beginning) or beginning.startswith(_SIGNATURES) or beginning[4:12] in _BRANDS


def webp_size(beginning: bytes) -> tuple[int, int] | None:
    """Width and height of a WebP, of which Pillow holds all pixels before it tells them.

    See RFC 9649, sections 2.5 to 2.7. None where it is no WebP, or does not say.
    """
    if not _is_webp(beginning) or len(beginning) < BEGINNING:
        return None
    kind, sizes = beginning[12:16], beginning[20:30]
    if kind == b"VP8X":
        return 1 + int.from_bytes(sizes[4:7], "little"), 1 + int.from_bytes(sizes[7:10], "little")
    if kind == b"VP8 ":
        width, height = struct.unpack("<HH", sizes[6:10])
        return width & 0x3FFF, height & 0x3FFF
    if kind == b"VP8L":
        bits = int.from_bytes(sizes[1:5], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    return None


def _is_webp(beginning: bytes) -> bool:
    return beginning.startswith(b"RIFF") and beginning[8:12] == b"WEBP"
