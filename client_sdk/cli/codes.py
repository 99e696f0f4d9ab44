"""The exit codes of commands, for scripts and continuous integration."""

from enum import IntEnum

from client_sdk._folder.report import UploadStopped
from client_sdk.errors import ApiError, JobFailed, LookalikeError, UsageError


class Code(IntEnum):
    """The exit codes.

    Attributes:
        DONE: The command succeeded.
        NO: The service answered, and the answer is no: nothing found, a failed check, or a failed
            job.
        USAGE: The arguments are wrong, or a local file cannot be read or written.
        AWAY: The service cannot be reached, is not ready or too busy, or is another program.
        REFUSED: The service rejected the request: no such collection, not a picture, not allowed.
        INTERRUPTED: The user pressed Ctrl-C.
        NOBODY_READS: The reader of the output has ended, such as `head`.
    """

    DONE = 0
    NO = 1
    USAGE = 2
    AWAY = 3
    REFUSED = 4
    INTERRUPTED = 130
    NOBODY_READS = 141


def code_of(error: LookalikeError) -> Code:
    """Return the exit code of an error."""
    if isinstance(error, UploadStopped) and isinstance(error.__cause__, LookalikeError):
        return code_of(error.__cause__)
    if isinstance(error, JobFailed):
        return Code.NO
    if isinstance(error, UsageError):
        return Code.USAGE
    if isinstance(error, ApiError) and not error.is_passing:
        return Code.REFUSED
    return Code.AWAY
