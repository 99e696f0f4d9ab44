"""The start of jobs from manifests, which are under an image root or sent by a client."""

from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import BinaryIO

from bento_service.catalogue import Catalogue
from bento_service.catalogue.jobs.records import Claim, JobRecord, NewJob
from bento_service.catalogue.records import Computed
from bento_service.catalogue.states import SourceKind
from bento_service.errors import InvalidArgument
from bento_service.filters.values import check_metadata
from bento_service.ingest.manifests import statements
from bento_service.ingest.starting.folder_jobs import collection_for_training
from bento_service.requests import TrainRequest
from bento_service.storage.image_roots import ImageRoots, Located
from bento_service.storage.uploads import Uploads


@dataclass(frozen=True)
class ManifestJobs:
    """The start of manifest jobs.

    Manifests are copied to the uploads, so that a job reads the same lines after a restart.
    """

    catalogue: Catalogue
    roots: ImageRoots
    uploads: Uploads
    computed: Computed

    def start(self, request: TrainRequest, claim: Claim | None = None) -> JobRecord:
        """Create a job for the manifest that a request names."""
        located = self.roots.check(self.roots.locate(request.manifest or "", request.root))
        parent = PurePosixPath(located.path).parent.as_posix()
        folder = Located(located.root, "" if parent == "." else parent)
        if request.path is not None:
            folder = self._locate_folder(request.path, request.root)
        if folder.root != located.root:
            raise InvalidArgument("path: is under another image root than the manifest")
        with self.roots.opened(located.root.name, located.path) as stream:
            return self._start(request, stream, located.path, folder, claim)

    def start_sent(
        self, request: TrainRequest, stream: BinaryIO, name: str, claim: Claim | None = None
    ) -> JobRecord:
        """Create a job for a sent manifest, whose paths are relative to `path` or the root."""
        folder = self._locate_folder(request.path or ".", request.root)
        return self._start(request, stream, name, folder, claim)

    def _locate_folder(self, path: str, root: str | None) -> Located:
        return self.roots.check(self.roots.locate(path, root))

    def _start(
        self,
        request: TrainRequest,
        stream: BinaryIO,
        name: str,
        folder: Located,
        claim: Claim | None,
    ) -> JobRecord:
        folder_options = (request.prune, request.ignore, request.follow_links)
        if any(folder_options) or not request.recursive:
            raise InvalidArgument(
                "prune, ignore, follow_links and recursive are only for folders; remove them, "
                "because a manifest lists its deletions itself"
            )
        check_metadata(request.metadata)
        next(statements(stream), None)  # rejects other files at once
        stream.seek(0)
        collection = collection_for_training(
            self.catalogue, request.collection, self.computed, dry_run=request.dry_run
        )
        with self.uploads.intake() as intake:
            job = NewJob(
                kind=SourceKind.FILE,
                root=folder.root.name,
                path=folder.path,
                metadata=request.metadata,
                dry_run=request.dry_run,
                verify_bytes=request.verify_bytes,
                manifest=intake.add(stream),
                manifest_name=name,
            )
            intake.finish()
            record = self.catalogue.jobs.create(
                collection.id, collection.name, job, claim, holder=intake.holder
            )
        if claim is not None:
            # The job may be that of an earlier request, which has its own manifest.
            self.uploads.discard(job.uploads)
        return record
