"""What a command ends with, so that scripts and continuous integration can go by it."""

from enum import IntEnum

from client_sdk._folder.report import UploadStopped
from client_sdk.errors import ApiError, JobFailed, LookalikeError, UsageError


class Code(IntEnum):
    """The exit codes.

    Attributes:
        DONE: What was asked for is done.
        NO: It was asked and answered, and the answer is no: nothing found, a check that failed, a
            job that failed.
        USAGE: The command makes no sense, or a file of the caller cannot be read or written.
        AWAY: The service cannot be reached, is not ready, too busy, or is something else.
        REFUSED: The service refused: no such collection, no picture, not allowed.
        INTERRUPTED: Ctrl-C.
        NOBODY_READS: What reads the output has ended, such as `head`.
    """

    DONE = 0
    NO = 1
    USAGE = 2
    AWAY = 3
    REFUSED = 4
    INTERRUPTED = 130
    NOBODY_READS = 141


def code_of(error: LookalikeError) -> Code:
    """The exit code that stands for an error."""
    if isinstance(error, UploadStopped) and isinstance(error.__cause__, LookalikeError):
        return code_of(error.__cause__)
    if isinstance(error, JobFailed):
        return Code.NO
    if isinstance(error, UsageError):
        return Code.USAGE
    if isinstance(error, ApiError) and not error.is_passing:
        return Code.REFUSED
    return Code.AWAY
