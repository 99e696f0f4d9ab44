"""Patterns of files that a walk skips; `client_sdk.patterns` defines their meaning."""

from collections.abc import Sequence

from bento_service.errors import InvalidArgument
from client_sdk.patterns import Patterns as Ignored

__all__ = ["Ignored", "check_patterns"]

_MAX_PATTERNS = 1000
_MAX_LENGTH = 1000


def check_patterns(patterns: Sequence[str]) -> None:
    """Check that patterns do not make a walk slow.

    Raises:
        InvalidArgument: There are too many patterns, or one is too long.
    """
    if len(patterns) > _MAX_PATTERNS or any(len(each) > _MAX_LENGTH for each in patterns):
        raise InvalidArgument(
            f"ignore: give at most {_MAX_PATTERNS} patterns of up to {_MAX_LENGTH} characters"
        )
