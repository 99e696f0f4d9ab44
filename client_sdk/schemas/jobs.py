"""The wire models of jobs; see `client_sdk.schemas`."""

from datetime import datetime
from enum import StrEnum

from client_sdk.schemas.fields import Answer


class JobState(StrEnum):
    """Where an ingest job stands. `IDLE` is the answer of `process` before the first job."""

    IDLE = "idle"
    PENDING = "pending"
    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELED = "canceled"

    @property
    def is_final(self) -> bool:
        """Whether a job in this state will never change again by itself."""
        return self in (JobState.COMPLETED, JobState.FAILED, JobState.CANCELED)


class JobError(Answer):
    """One file that could not be indexed.

    Attributes:
        source: Which file, as `root-relative/path.jpg` or the name of the uploaded file.
        code: The reason, one of the contract's error codes.
        detail: The same for people.
    """

    source: str
    code: str
    detail: str


class Job(Answer):
    """One ingest job: a train call and how far it has come.

    `done = indexed + duplicates + failed`, and `unchanged` files, which were not read again, are
    duplicates; `removed` images were deleted because their files are gone or changed, or because
    a manifest says so. With `dry_run` all of that would be, and is not. While `state` is
    `in_progress` the total may still grow, because folders are walked while their first pictures
    are already being indexed.

    A job with some bad files is `completed`; `failed` means that it could not go on, and
    `detail` then says why. `source` is `upload`, or the root and path that are indexed, or what
    a collection is reindexed to.

    Attributes:
        kind: `file` for a folder or file of an image root, `upload` or `reindex`; `None` before
            the first job.
        retry_of: The id of the job whose failed or unreached files this one tries again.
        images_per_second: Over the last 30 s while it is in progress, over all of it at the end.
        eta_seconds: Until it ends, at that rate; `None` while its folder is still being walked.
    """

    id: str | None
    collection: str
    kind: str | None = None
    source: str | None = None
    retry_of: str | None = None
    state: JobState
    total: int
    done: int
    indexed: int
    duplicates: int
    failed: int
    unchanged: int = 0
    removed: int = 0
    dry_run: bool = False
    created_at: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    images_per_second: float | None = None
    eta_seconds: float | None = None
    detail: str | None = None
    errors: tuple[JobError, ...] = ()


class JobList(Answer):
    """Jobs, newest first. `next_cursor` is `None` on the last page."""

    jobs: tuple[Job, ...]
    next_cursor: str | None = None


class JobErrorList(Answer):
    """The failed files of one job, in the order of the walk."""

    errors: tuple[JobError, ...]
    next_cursor: str | None = None
