"""The supported picture formats and their signatures."""

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
"""The media type of each supported format, by Pillow's name of the format."""

MAX_PIXELS, MAX_JPEG_PIXELS = 50_000_000, 100_000_000
"""The largest accepted pictures, unless a service is set otherwise; JPEGs can be scaled."""

Colour = tuple[int, int, int]
"""Red, green, blue, 0..255."""
Region = tuple[int, int, int, int]
"""`(x, y, width, height)` in pixels of the upright picture."""

_TIFFS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_SIGNATURES = (b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"BM", *_TIFFS)
_WEBP_HEADER = 30
_BRANDS = (b"ftypavif", b"ftypavis")
_NOT_READ = (
    (b"ftypcrx ", "a raw file of a Canon camera"),
    *((b"ftyp" + brand, "HEIC") for brand in (b"hei", b"hev", b"mif1", b"msf1")),
    (b"ftyp", "a film"),
)
_NOT_READ_FROM_START = (
    (b"\xff\x0a", "JPEG XL"),
    (b"\0\0\0\x0cJXL ", "JPEG XL"),
    (b"\0\0\0\x0cjP  ", "JPEG 2000"),
    (b"\xff\x4f\xff\x51", "JPEG 2000"),
    (b"%PDF-", "PDF"),
    (b"%!PS", "PostScript"),
    (b"8BPS", "a Photoshop document"),
    (b"\0\0\1\0", "an icon"),
    (b"PK\3\4", "a zip archive"),
)

BEGINNING = 1024
"""The number of bytes at the start of a file that the functions below need."""


def begins_like_a_picture(beginning: bytes) -> bool:
    """Return True if a file with this beginning has a supported format."""
    return _is_webp(beginning) or beginning.startswith(_SIGNATURES) or beginning[4:12] in _BRANDS


def format_not_read(beginning: bytes) -> str:
    """Return why a file is not supported, judged by its beginning and never by its name."""
    if not beginning:
        return "the file is empty"
    text = beginning.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if text.startswith(b"<") and b"<svg" in text:
        return "SVG is not read"
    if text.startswith((b"<!doctype html", b"<html")):
        return "the file is a web page, not a picture"
    named = [name for start, name in _NOT_READ_FROM_START if beginning.startswith(start)]
    named += [name for start, name in _NOT_READ if beginning[4:].startswith(start)]
    return f"{named[0]} is not read" if named else "not a picture that can be read"


def webp_size(beginning: bytes) -> tuple[int, int] | None:
    """Return the width and height of a WebP from its header; see RFC 9649, sections 2.5 to 2.7.

    Pillow allocates all pixels before it returns the size. The result is `None` if the file is not
    a WebP or its header has no size.
    """
    if not _is_webp(beginning) or len(beginning) < _WEBP_HEADER:
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
