"""Pictures that tests draw, and how they are decoded."""

import struct
import zlib

from PIL import Image

from bento_service.pictures.in_process import decode

CAP = 1_000_000
RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)


def opened(source, *, side=4, **options):
    return decode(source, side=side, max_pixels=CAP, **options)


def plain(colour, size=(20, 10), mode="RGB"):
    return Image.new(mode, size, colour)


def corners(pixels):
    """Return the four corner samples: top left, top right, bottom left, bottom right."""
    return [tuple(int(v) for v in pixels[y, x]) for y in (0, -1) for x in (0, -1)]


def exif_with(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif.tobytes()


def quartered(width=64, height=32):
    """Red, green, blue, white in the corners: top left, top right, bottom left, bottom right."""
    image = plain(WHITE, (width, height))
    image.paste(RED, (0, 0, width // 2, height // 2))
    image.paste(GREEN, (width // 2, 0, width, height // 2))
    image.paste(BLUE, (0, height // 2, width // 2, height))
    return image


# The turns with which a camera stores an upright picture, by EXIF orientation (TIFF 6.0, page 36):
# where row 0 and column 0 of the stored picture are in the upright one.
STORED_CORNERS = {
    1: (RED, GREEN, BLUE, WHITE),  # row 0 at the top, column 0 at the left
    2: (GREEN, RED, WHITE, BLUE),  # top, right
    3: (WHITE, BLUE, GREEN, RED),  # bottom, right
    4: (BLUE, WHITE, RED, GREEN),  # bottom, left
    5: (RED, BLUE, GREEN, WHITE),  # left, top
    6: (GREEN, WHITE, RED, BLUE),  # right, top
    7: (WHITE, GREEN, BLUE, RED),  # right, bottom
    8: (BLUE, RED, WHITE, GREEN),  # left, bottom
}


def stored_with(orientation, width=64, height=32):
    """The stored pixels of `quartered(width, height)`, taken with a camera turned like that."""
    if orientation >= 5:
        width, height = height, width
    image = Image.new("RGB", (width, height))
    boxes = [
        (x, y, x + width // 2, y + height // 2) for y in (0, height // 2) for x in (0, width // 2)
    ]
    for box, colour in zip(boxes, STORED_CORNERS[orientation], strict=True):
        image.paste(colour, box)
    return image


def chunk(kind, data):
    checksum = struct.pack(">I", zlib.crc32(kind + data))
    return struct.pack(">I", len(data)) + kind + data + checksum


def png_header(width, height):
    """Return a PNG that says how large it is and holds next to nothing."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = zlib.compress(b"\0")
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")
    )
