"""The start of folder and reindex jobs."""

from bento_service.catalogue import Catalogue
from bento_service.catalogue.jobs.records import Claim, JobRecord, NewJob
from bento_service.catalogue.records import CollectionRecord, Computed
from bento_service.catalogue.states import SourceKind
from bento_service.errors import InvalidArgument
from bento_service.filters.values import check_metadata
from bento_service.requests import TrainRequest
from bento_service.storage.ignore_patterns import check_patterns
from bento_service.storage.image_roots import ImageRoots


def collection_for_training(
    catalogue: Catalogue, name: str, computed: Computed, *, dry_run: bool = False
) -> CollectionRecord:
    """Return the collection of that name after creating it if needed; a dry run creates none.

    Raise `Conflict` if the service does not compute its descriptor version.
    """
    if not dry_run:
        catalogue.collections.ensure(name, computed.named(None))
    return catalogue.collections.comparable(name, computed)


def start_folder_job(
    catalogue: Catalogue,
    roots: ImageRoots,
    computed: Computed,
    request: TrainRequest,
    claim: Claim | None = None,
) -> JobRecord:
    """Create a job for a folder or one file; with a claim, only the first time."""
    if request.path is None:
        raise InvalidArgument("path: is missing; name a folder, a file or a `manifest`")
    check_metadata(request.metadata)
    check_patterns(request.ignore)
    located = roots.check(roots.locate(request.path, request.root))
    collection = collection_for_training(
        catalogue, request.collection, computed, dry_run=request.dry_run
    )
    job = NewJob(
        kind=SourceKind.FILE,
        root=located.root.name,
        path=located.path,
        recursive=request.recursive,
        ignore=request.ignore,
        follow_links=request.follow_links,
        metadata=request.metadata,
        dry_run=request.dry_run,
        prune=request.prune,
        verify_bytes=request.verify_bytes,
    )
    return catalogue.jobs.create(collection.id, collection.name, job, claim)


def start_reindex_job(
    catalogue: Catalogue,
    computed: Computed,
    name: str,
    descriptor: str | None,
    *,
    drop_missing: bool,
    claim: Claim | None = None,
) -> JobRecord:
    """Create a job that reindexes a collection; with a claim, only the first time.

    By default the target is the descriptor of new collections; see `Reindexes.begin`.
    """
    collection = catalogue.collections.named(name)
    space = computed.named(descriptor)
    job_id = catalogue.reindexes.begin(collection, space, drop_missing=drop_missing, claim=claim)
    return catalogue.jobs.get(job_id)
