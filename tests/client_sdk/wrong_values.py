"""Values of wrong types, out of range or broken, as arguments for any parameter."""

import io
from pathlib import Path

import numpy as np
from PIL import Image


class Awkward:
    """An object whose every use fails."""

    def __repr__(self):
        raise RuntimeError("no repr")

    def __fspath__(self):
        raise RuntimeError("no path")

    def __index__(self):
        raise RuntimeError("no index")

    def __iter__(self):
        raise RuntimeError("no items")


class BytesPath:
    def __fspath__(self):
        return b"cat.jpg"


class BrokenFile(io.RawIOBase):
    def readable(self):
        return True

    def read(self, size=-1):
        raise KeyError("broken")


class TextFile:
    def read(self, size=-1):
        return "text"


def closed_file():
    file = io.BytesIO(b"x")
    file.close()
    return file


def closed_picture():
    picture = Image.new("RGB", (2, 2))
    picture.close()
    return picture


WRONG = {
    "none": lambda: None,
    "true": lambda: True,
    "number": lambda: 5,
    "negative": lambda: -1,
    "huge": lambda: 10**400,
    "real": lambda: 1.5,
    "nan": lambda: float("nan"),
    "infinite": lambda: float("inf"),
    "complex": lambda: 1j,
    "text": lambda: "text",
    "empty text": lambda: "",
    "nul": lambda: "a\0b",
    "surrogate": lambda: "\ud800",
    "dots": lambda: "..",
    "long": lambda: "x" * 5000,
    "bytes": lambda: b"bytes",
    "list": lambda: [1, "a", None],
    "empty list": list,
    "nested": lambda: [[[]]],
    "mapping": lambda: {"a": object()},
    "numbered mapping": lambda: {1: 2},
    "unsent mapping": lambda: {"\ud800": float("nan")},
    "object": object,
    "class": lambda: int,
    "function": lambda: len,
    "awkward": Awkward,
    "bytes path": BytesPath,
    "missing file": lambda: Path("/nowhere/cat.jpg"),
    "folder": lambda: Path("/"),
    "closed file": closed_file,
    "broken file": BrokenFile,
    "file of text": TextFile,
    "text file": lambda: io.StringIO("x"),
    "pair": lambda: ("name",),
    "wrong pair": lambda: (b"name", "content"),
    "array": lambda: np.zeros((2, 2)),
    "image without pixels": lambda: Image.new("RGB", (0, 0)),
    "closed image": closed_picture,
}
