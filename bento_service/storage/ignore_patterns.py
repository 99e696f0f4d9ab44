"""Patterns of files that a walk skips; `client_sdk.schemas.patterns` defines their meaning."""

from collections.abc import Sequence

from bento_service.errors import InvalidArgument
from client_sdk.schemas.patterns import Patterns

_MAX_PATTERNS = 1000
_MAX_LENGTH = 1000


class Ignored(Patterns):
    """The patterns of a job, matched in linear time, however many stars a pattern has."""

    def __init__(self, patterns: Sequence[str]) -> None:
        super().__init__(patterns, backend="re2")


def check_patterns(patterns: Sequence[str]) -> None:
    """Check that patterns are valid and do not make a walk slow.

    Raises:
        InvalidArgument: A pattern is not valid or too long, or there are too many.
    """
    if len(patterns) > _MAX_PATTERNS or any(len(each) > _MAX_LENGTH for each in patterns):
        raise InvalidArgument(
            f"ignore: give at most {_MAX_PATTERNS} patterns of up to {_MAX_LENGTH} characters"
        )
    try:
        Ignored(patterns)
    except ValueError as error:
        raise InvalidArgument(f"ignore: {error}") from error
