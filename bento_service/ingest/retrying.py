"""Trying again what a job failed at or did not reach."""

from bento_service.catalogue import Catalogue
from bento_service.catalogue.jobs.records import JobRecord
from bento_service.catalogue.records import Computed
from bento_service.catalogue.tables import SourceKind
from bento_service.errors import CollectionNotFound, Conflict
from bento_service.storage.uploads import Uploads


def retry_job(catalogue: Catalogue, uploads: Uploads, computed: Computed, job_id: str) -> JobRecord:
    """Put what a job left on the list, as a new job.

    Raises:
        JobNotFound: There is none with that id.
        CollectionNotFound: Its collection was deleted.
        Conflict: It has not ended, left nothing, or is retried already; its uploads are gone; or
            its collection holds another descriptor version, which the service does not compute.
        InvalidArgument: The service computes no such descriptor as it was to reindex to.
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
    wanted = _still_to_read(catalogue, job)
    with uploads.holding(wanted) as held:
        if wanted and not held:
            what = "pictures" if job.manifest is None else "lines of the manifest"
            raise Conflict(
                f"the {what} that job {job_id} left are not kept any more; upload them again "
                "(LOOKALIKE_RETRY_HOURS says how long they are kept)"
            )
        return catalogue.jobs.get(catalogue.job_control.retry(job))


def _still_to_read(catalogue: Catalogue, job: JobRecord) -> set[str]:
    """Digests of what the service keeps of a job to try it again."""
    if job.kind is SourceKind.UPLOAD:
        return catalogue.upload_references.left_by(job.number)
    return set() if job.manifest is None or job.walked else {job.manifest}


def _reindex_again(catalogue: Catalogue, computed: Computed, job: JobRecord) -> str:
    """Begin the reindex anew: what is described already stays, unless it was canceled."""
    return catalogue.reindexes.begin(
        catalogue.collections.named(job.collection),
        computed.named(job.path),
        drop_missing=catalogue.reindexes.drops_missing(job.number),
        retry_of=job.id,
    )
