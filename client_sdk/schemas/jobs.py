"""The wire models of jobs; see `client_sdk.schemas`."""

from datetime import datetime
from enum import StrEnum

from client_sdk.schemas.answer import Answer


class JobState(StrEnum):
    """The state of a job. `IDLE` is the answer of `process` before the first job."""

    IDLE = "idle"
    PENDING = "pending"
    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELED = "canceled"

    @property
    def is_final(self) -> bool:
        """True if a job in this state has ended."""
        return self in (JobState.COMPLETED, JobState.FAILED, JobState.CANCELED)


class JobError(Answer):
    """One file that could not be indexed.

    Attributes:
        source: The name of the image root and the path below it, or the name of an uploaded file.
        code: The error code of the contract.
        detail: The reason as a sentence.
    """

    source: str
    code: str
    detail: str


class Skipped(Answer):
    """Files and folders that a job did not read, for one reason.

    Attributes:
        code: `link`, `clutter`, `special` (a pipe, a socket or a device), `unreadable` or
            `too_deep`.
        count: The number of entries; a folder counts as one.
        source: The path of the first one.
    """

    code: str
    count: int
    source: str
    detail: str


class Job(Answer):
    """One job and its progress.

    `done = indexed + duplicates + failed`. A job with some failed files is `completed`; `failed`
    means that the job itself could not continue. While `state` is `in_progress`, `total` may still
    grow, because the first pictures of a folder are indexed while the rest of it is listed.

    Attributes:
        id: The id; `None` before the first job.
        kind: `file` for a folder or file of an image root, `upload` or `reindex`.
        source: `upload`, the root and path that are indexed, or the new descriptor of a reindex.
        retry_of: The id of the job whose failed or unreached files this one retries.
        batch: The caller's name of the upload that this job is a part of.
        total: The number of files found so far.
        indexed: The number of files that became images.
        duplicates: The number of files whose bytes the collection had already, with the
            `unchanged` ones.
        failed: The number of files that could not be indexed.
        unchanged: The number of files that did not change and were not read again.
        removed: The number of images that were deleted, because their files are gone or changed,
            or because a manifest lists them.
        skipped: The entries of a folder or an archive that were not read, by reason, without those
            that `ignore` names; complete once everything is listed.
        dry_run: True if the job changes nothing; the counts then say what it would do.
        images_per_second: The speed over the last 30 s; after the end, over the whole job.
        eta_seconds: The estimated seconds until the end; `None` while the folder is being listed.
        detail: The reason why a `failed` job could not continue.
        errors: The first files that could not be indexed.
    """

    id: str | None
    collection: str
    kind: str | None = None
    source: str | None = None
    retry_of: str | None = None
    batch: str | None = None
    state: JobState
    total: int
    done: int
    indexed: int
    duplicates: int
    failed: int
    unchanged: int = 0
    removed: int = 0
    skipped: tuple[Skipped, ...] = ()
    dry_run: bool = False
    created_at: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    images_per_second: float | None = None
    eta_seconds: float | None = None
    detail: str | None = None
    errors: tuple[JobError, ...] = ()
