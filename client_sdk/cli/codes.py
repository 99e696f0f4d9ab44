"""The exit codes of commands, for scripts and continuous integration."""

from enum import IntEnum

from client_sdk._folder.report import UploadStopped
from client_sdk.errors import ApiError, JobFailed, LookalikeError, UsageError


class Code(IntEnum):
    """The exit codes.

    Attributes:
        DONE: The command succeeded.
        NO: Nothing was found, a check failed, or a job failed.
        USAGE: The arguments are wrong, or a local file cannot be read or written.
        UNAVAILABLE: The service cannot be reached, is not ready or too busy, or is another program.
        REJECTED: The service rejected the request: no such collection, not a picture, not allowed.
        INTERRUPTED: The user pressed Ctrl-C.
        BROKEN_PIPE: The reader of the output, such as `head`, has ended.
    """

    DONE = 0
    NO = 1
    USAGE = 2
    UNAVAILABLE = 3
    REJECTED = 4
    INTERRUPTED = 130
    BROKEN_PIPE = 141


def code_of(error: LookalikeError) -> Code:
    """Return the exit code of an error."""
    if isinstance(error, UploadStopped) and isinstance(error.__cause__, LookalikeError):
        return code_of(error.__cause__)
    if isinstance(error, JobFailed):
        return Code.NO
    if isinstance(error, UsageError):
        return Code.USAGE
    if isinstance(error, ApiError) and not error.is_passing:
        return Code.REJECTED
    return Code.UNAVAILABLE
