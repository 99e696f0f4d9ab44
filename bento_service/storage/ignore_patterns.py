"""Patterns of what a walk leaves out; what they mean is in `client_sdk.patterns`."""

from collections.abc import Sequence

from bento_service.errors import InvalidArgument
from client_sdk.patterns import Patterns as Ignored

__all__ = ["Ignored", "check_patterns"]

_MAX_PATTERNS = 1000
_MAX_LENGTH = 1000


def check_patterns(patterns: Sequence[str]) -> None:
    """Refuse patterns that would make a walk slow.

    Raises:
        InvalidArgument: Too many, or too long a one.
    """
    if len(patterns) > _MAX_PATTERNS or any(len(one) > _MAX_LENGTH for one in patterns):
        raise InvalidArgument(
            f"ignore: give at most {_MAX_PATTERNS} patterns of up to {_MAX_LENGTH} characters"
        )
