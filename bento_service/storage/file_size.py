"""The limit for the size of a picture's file."""

from bento_service.errors import TooLarge


def oversize(size: int, limit: int) -> TooLarge | None:
    """Return the error of a file with more bytes than the limit, if it has more."""
    if size <= limit:
        return None
    return TooLarge(
        f"the file has {size} bytes; at most {limit} are accepted: LOOKALIKE_MAX_UPLOAD_BYTES "
        "raises that"
    )
