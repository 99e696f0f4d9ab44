"""Errors by which a picture is rejected."""

from bento_service.errors import (
    ImageTooExpensive,
    ImageUnreadable,
    InvalidArgument,
    LookalikeError,
    TooLarge,
    UnsupportedMediaType,
)

REJECTIONS: dict[str, type[LookalikeError]] = {
    kind.code: kind
    for kind in (
        UnsupportedMediaType,
        TooLarge,
        ImageUnreadable,
        ImageTooExpensive,
        InvalidArgument,
    )
}
"""The errors by their codes, which a decoder process sends instead of an exception."""
