"""Starting ingest jobs."""

from bento_service.catalogue import Catalogue
from bento_service.catalogue.records import CollectionRecord, DescriptorSpace, JobRecord, NewJob
from bento_service.catalogue.tables import SourceKind
from bento_service.ingest.roots import ImageRoots
from client_sdk.schemas import TrainRequest


def collection_for_training(
    catalogue: Catalogue, name: str, space: DescriptorSpace
) -> CollectionRecord:
    """The collection of that name, made where there is none.

    Raises:
        InvalidArgument: A collection cannot have that name.
        Conflict: It was made with another descriptor version.
    """
    catalogue.collections.ensure(name, space)
    return catalogue.collections.comparable(name, space)


def start_folder_job(
    catalogue: Catalogue, roots: ImageRoots, space: DescriptorSpace, request: TrainRequest
) -> JobRecord:
    """Put a folder, or one file, on the list of jobs.

    Raises:
        Forbidden, PathNotFound, InvalidArgument: See `ImageRoots.locate` and `ImageRoots.check`.
        Conflict: The collection was made with another descriptor version.
    """
    located = roots.locate(request.path, request.root)
    roots.check(located)
    collection = collection_for_training(catalogue, request.collection, space)
    job = NewJob(
        kind=SourceKind.FILE,
        root=located.root.name,
        path=located.path,
        recursive=request.recursive,
        ignore=request.ignore,
        metadata=request.metadata,
    )
    return catalogue.jobs.create(collection.id, collection.name, job)
