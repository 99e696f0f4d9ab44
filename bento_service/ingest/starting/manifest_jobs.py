"""Starting jobs that work off a manifest, found under an image root or sent by a client."""

from pathlib import PurePosixPath
from typing import BinaryIO

from bento_service.catalogue import Catalogue
from bento_service.catalogue.jobs.records import Claim, JobRecord, NewJob
from bento_service.catalogue.records import Computed
from bento_service.catalogue.tables import SourceKind
from bento_service.errors import InvalidArgument
from bento_service.filters.values import check_metadata
from bento_service.ingest.manifests import statements
from bento_service.ingest.starting.folder_jobs import collection_for_training
from bento_service.storage.image_roots import ImageRoots, Located
from bento_service.storage.uploads import Uploads
from client_sdk.schemas import TrainRequest


class ManifestJobs:
    """Copies manifests, so that a job that goes on after a restart reads the same lines."""

    def __init__(
        self,
        catalogue: Catalogue,
        roots: ImageRoots,
        uploads: Uploads,
        computed: Computed,
    ) -> None:
        """Prepare.

        Args:
            catalogue: Where jobs go.
            roots: What manifests are about.
            uploads: Where they are copied to.
            computed: What the service computes.
        """
        self._catalogue = catalogue
        self._roots = roots
        self._uploads = uploads
        self._computed = computed

    def start(self, request: TrainRequest, claim: Claim | None = None) -> JobRecord:
        """Put the manifest that a request names on the list of jobs.

        Raises:
            Forbidden, PathNotFound, InvalidArgument: See `ImageRoots.locate` and `statements`.
            CollectionNotFound, Conflict: See `collection_for_training` and `Jobs.create`.
        """
        located = self._roots.locate(request.manifest or "", request.root)
        folder = PurePosixPath(located.path).parent.as_posix()
        begins = Located(located.root, "" if folder == "." else folder)
        if request.path is not None:
            begins = self._beginning(request.path, request.root)
        if begins.root != located.root:
            raise InvalidArgument("path: is under another image root than the manifest")
        with self._roots.opened(located.root.name, located.path) as stream:
            return self._start(request, stream, located.path, begins, claim)

    def start_sent(
        self, request: TrainRequest, stream: BinaryIO, name: str, claim: Claim | None = None
    ) -> JobRecord:
        """Put a manifest that was sent on the list of jobs; its paths begin at `path` or the root.

        Raises:
            Forbidden, PathNotFound, InvalidArgument: See `ImageRoots.locate` and `statements`.
            CollectionNotFound, Conflict: See `collection_for_training` and `Jobs.create`.
        """
        begins = self._beginning(request.path or ".", request.root)
        return self._start(request, stream, name, begins, claim)

    def _beginning(self, path: str, root: str | None) -> Located:
        located = self._roots.locate(path, root)
        self._roots.check(located)
        return located

    def _start(
        self,
        request: TrainRequest,
        stream: BinaryIO,
        name: str,
        begins: Located,
        claim: Claim | None,
    ) -> JobRecord:
        if request.prune or request.ignore or not request.recursive:
            raise InvalidArgument(
                "prune, ignore and recursive go with a folder; a manifest says itself what goes"
            )
        check_metadata(request.metadata)
        next(statements(stream), None)  # that it is one at all is told at once
        stream.seek(0)
        collection = collection_for_training(
            self._catalogue, request.collection, self._computed, dry_run=request.dry_run
        )
        with self._uploads.intake() as store:
            job = _new_job(request, begins, store(stream), name)
            record = self._catalogue.jobs.create(collection.id, collection.name, job, claim)
        if claim is not None and job.manifest is not None:
            # The job may be that of an earlier call, which has a manifest of its own.
            self._uploads.discard({job.manifest})
        return record


def _new_job(request: TrainRequest, begins: Located, manifest: str, name: str) -> NewJob:
    return NewJob(
        kind=SourceKind.FILE,
        root=begins.root.name,
        path=begins.path,
        metadata=request.metadata,
        dry_run=request.dry_run,
        verify_bytes=request.verify_bytes,
        manifest=manifest,
        manifest_name=name,
    )
