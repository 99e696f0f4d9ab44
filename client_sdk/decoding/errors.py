"""The errors of decoding; each has the code of the contract by which the service reports it."""

from typing import ClassVar


class DecodingError(Exception):
    """A picture that cannot be decoded; the message says why and what to do."""

    code: ClassVar[str]


class UnsupportedFormat(DecodingError):
    """The bytes are not one of the supported picture formats."""

    code = "unsupported_media_type"


class TooManyPixels(DecodingError):
    """A picture whose header declares more pixels than are accepted.

    Attributes:
        size: The width and height in pixels.
        scales: True if pictures of its format are scaled during decoding.
    """

    code = "too_large"

    def __init__(self, size: tuple[int, int], max_pixels: int, *, scales: bool) -> None:
        super().__init__(
            f"the picture has {size[0]} x {size[1]} pixels; at most {max_pixels} are accepted: "
            "scale it down first"
        )
        self.size = size
        self.scales = scales


class Unreadable(DecodingError):
    """The bytes begin like a picture but cannot be decoded."""

    code = "image_unreadable"


class TooExpensive(DecodingError):
    """There is not enough memory to decode the picture."""

    code = "image_too_expensive"
