"""Small pictures as the bytes of files."""

import io

from PIL import Image


def png(colour: object, size: tuple[int, int] = (20, 10)) -> bytes:
    """Return a picture of one colour."""
    file = io.BytesIO()
    Image.new("RGB", size, colour).save(file, "PNG")
    return file.getvalue()
