"""Small files that are expensive to decode."""

import io

from PIL import Image


def flat(file_format: str, size: tuple[int, int], **options: object) -> bytes:
    """Return a picture of one colour: some kilobytes, whatever its size."""
    file = io.BytesIO()
    Image.new("RGB", size, (9, 9, 9)).save(file, file_format, **options)
    return file.getvalue()


def many_scans(size: tuple[int, int], scans: int) -> bytes:
    """A progressive JPEG whose last scan, a refinement of all blocks, comes again and again."""
    return with_last_scan_again(flat("JPEG", size, progressive=True), scans)


def with_last_scan_again(data: bytes, scans: int) -> bytes:
    """A progressive JPEG with so many more of its last scan; each costs a pass over it all."""
    last = data.rindex(b"\xff\xda")
    end = data.rindex(b"\xff\xd9")
    return data[:end] + data[last:end] * scans + data[end:]
