"""States, actions and kinds that the tables store as text."""

from enum import StrEnum

from client_sdk.schemas import JobState


class FileState(StrEnum):
    """The state of one file of a job."""

    TODO = "todo"
    DONE = "done"
    DUPLICATE = "duplicate"
    FAILED = "failed"


class FileAction(StrEnum):
    """The action of a job on one entry of its list."""

    ADD = "add"
    DELETE = "delete"
    REFUSED = "refused"
    """No action: the entry failed when it was listed, so a retry skips it."""


class SourceKind(StrEnum):
    """The kind of place that bytes come from; `REINDEX` jobs read the sources of stored images."""

    FILE = "file"
    UPLOAD = "upload"
    REINDEX = "reindex"


OPEN_STATES = (JobState.PENDING, JobState.IN_PROGRESS)
"""States of jobs that still have work."""
