"""Starting jobs."""

from bento_service.catalogue import Catalogue
from bento_service.catalogue.jobs.records import Claim, JobRecord, NewJob
from bento_service.catalogue.records import CollectionRecord, Computed
from bento_service.catalogue.tables import SourceKind
from bento_service.errors import InvalidArgument
from bento_service.filters.values import check_metadata
from bento_service.storage.ignore_patterns import check_patterns
from bento_service.storage.image_roots import ImageRoots
from client_sdk.schemas import TrainRequest


def collection_for_training(
    catalogue: Catalogue, name: str, computed: Computed, *, dry_run: bool = False
) -> CollectionRecord:
    """The collection of that name, made where there is none, except for a dry run.

    Raises:
        CollectionNotFound: There is none, and a dry run makes none.
        InvalidArgument: A collection cannot have that name.
        Conflict: It holds another descriptor version, which the service does not compute.
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
    """Put a folder, or one file, on the list of jobs; with a claim, only the first time.

    Raises:
        Forbidden, PathNotFound, InvalidArgument: See `ImageRoots.locate` and `ImageRoots.check`;
            `check_metadata` and `check_patterns` too.
        CollectionNotFound, Conflict: See `collection_for_training` and `Jobs.create`.
    """
    if request.path is None:
        raise InvalidArgument("path: is missing; name a folder, a file or a `manifest`")
    check_metadata(request.metadata)
    check_patterns(request.ignore)
    located = roots.locate(request.path, request.root)
    roots.check(located)
    collection = collection_for_training(
        catalogue, request.collection, computed, dry_run=request.dry_run
    )
    job = NewJob(
        kind=SourceKind.FILE,
        root=located.root.name,
        path=located.path,
        recursive=request.recursive,
        ignore=request.ignore,
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
    """Put a reindex of a collection on the list of jobs; with a claim, only the first time.

    Args:
        catalogue: Where the collection is.
        computed: What the service can describe images in.
        name: Of the collection.
        descriptor: To which; that of new collections where none is named.
        drop_missing: Whether images that cannot be described are deleted in the end.
        claim: The caller's key, if one was given.

    Raises:
        CollectionNotFound: There is none of that name.
        InvalidArgument: The service computes no such descriptor.
        Conflict: The collection holds that already, or a reindex is under way; see `Jobs.create`
            for claims.
    """
    collection = catalogue.collections.named(name)
    space = computed.named(descriptor)
    job_id = catalogue.reindexes.begin(collection, space, drop_missing=drop_missing, claim=claim)
    return catalogue.jobs.get(job_id)
