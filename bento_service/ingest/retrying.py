"""Retries of jobs: a new job for the files that failed or were not reached."""

from bento_service.catalogue import Catalogue
from bento_service.catalogue.jobs.records import JobRecord
from bento_service.catalogue.records import Computed
from bento_service.catalogue.states import SourceKind
from bento_service.errors import CollectionNotFound, Conflict
from bento_service.storage.uploads import Uploads


def retry_job(catalogue: Catalogue, uploads: Uploads, computed: Computed, job_id: str) -> JobRecord:
    """Create a job for the unfinished files of an ended job.

    Raise `Conflict` if it has not ended, has no unfinished files or was retried already; if its
    uploads are gone; or if the service does not compute its collection's descriptor.
    """
    job = catalogue.jobs.get(job_id)
    catalogue.job_control.check_retriable(job)
    if job.collection_id is None:
        raise CollectionNotFound(
            f"collection {job.collection!r} of job {job_id} was deleted; train again instead"
        )
    if job.kind is SourceKind.REINDEX:
        return catalogue.jobs.get(_reindex_again(catalogue, computed, job))
    catalogue.collections.comparable(job.collection, computed)
    needed = _needed_uploads(catalogue, job)
    with uploads.holding(needed) as present:
        if needed and not present:
            noun = "pictures" if job.manifest is None else "lines of the manifest"
            raise Conflict(
                f"the unfinished {noun} of job {job_id} have expired; upload them again "
                "(LOOKALIKE_RETRY_HOURS says how long they are kept)"
            )
        return catalogue.jobs.get(catalogue.job_control.retry(job))


def _needed_uploads(catalogue: Catalogue, job: JobRecord) -> set[str]:
    """Return the digests of the uploads that a retry needs."""
    if job.kind is SourceKind.UPLOAD:
        return catalogue.upload_references.left_by(job.number)
    return set() if job.manifest is None or job.walked else {job.manifest}


def _reindex_again(catalogue: Catalogue, computed: Computed, job: JobRecord) -> str:
    """Begin a reindex again; its descriptors stay, unless the job was canceled."""
    return catalogue.reindexes.begin(
        catalogue.collections.named(job.collection),
        computed.named(job.path),
        drop_missing=catalogue.reindexes.drops_missing(job.number),
        retry_of=job.id,
    )
