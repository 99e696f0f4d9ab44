"""The start of jobs from uploaded pictures and archives."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import count
from typing import Any, BinaryIO

from bento_service.catalogue import Catalogue
from bento_service.catalogue.jobs.records import Claim, JobRecord, NewFile, NewJob
from bento_service.catalogue.records import Computed
from bento_service.catalogue.states import FileAction, SourceKind
from bento_service.errors import ImageUnreadable, InvalidArgument, LookalikeError
from bento_service.filters.values import is_comparable
from bento_service.ingest.archives.limits import Allowance, Limits, Member, Unfit, is_zip
from bento_service.ingest.archives.tars import is_tar, tar_members
from bento_service.ingest.archives.zips import zip_members
from bento_service.ingest.starting.folder_jobs import collection_for_training
from bento_service.storage.blob_store import Readable
from bento_service.storage.uploads import Uploads

_MAX_NAME = 1024


@dataclass(frozen=True)
class Sent:
    """A file of a request; its own metadata, if any, is that of all pictures in it."""

    name: str
    stream: BinaryIO
    metadata: dict[str, Any] | None = None


@dataclass(frozen=True)
class UploadJobs:
    """The start of upload jobs; `limits` are those of archives."""

    catalogue: Catalogue
    uploads: Uploads
    computed: Computed
    limits: Limits

    def start(
        self,
        sent: Sequence[Sent],
        collection: str,
        metadata: dict[str, Any],
        claim: Claim | None = None,
        *,
        batch: str | None = None,
    ) -> JobRecord:
        """Store the files of a request and create their job; archives are replaced by members."""
        if batch is not None and not is_comparable(batch):
            raise InvalidArgument(f"batch: {batch!r} is not valid Unicode without NUL")
        target = collection_for_training(self.catalogue, collection, self.computed)
        allowance = Allowance(self.limits)
        with self.uploads.intake() as intake:
            numbers = count(1)
            files = [
                file for each in sent for file in self._files(each, numbers, intake.add, allowance)
            ]
            if not files:
                raise InvalidArgument("files: the archive holds no files; send one with pictures")
            job = NewJob(
                kind=SourceKind.UPLOAD,
                metadata=metadata,
                files=tuple(files),
                batch=batch,
                skipped=tuple(allowance.skips),
            )
            intake.finish()
            record = self.catalogue.jobs.create(
                target.id, target.name, job, claim, holder=intake.holder
            )
        if claim is not None:
            # The job may be that of an earlier request, which has its own uploads.
            self.uploads.discard(job.uploads)
        return record

    def _files(
        self,
        sent: Sent,
        numbers: Iterator[int],
        store: Callable[[Readable], str],
        allowance: Allowance,
    ) -> Iterator[NewFile]:
        members = _members(sent.stream, allowance)
        if members is None:
            number = next(numbers)
            sent.stream.seek(0)
            name = sent.name.replace("\0", "").strip("/")[-_MAX_NAME:] or f"upload-{number}"
            yield NewFile(str(number), name, store(sent.stream), metadata=sent.metadata)
            return
        for member in members:
            file = self._file(member, str(next(numbers)), store)
            yield replace(file, metadata=sent.metadata)

    def _file(self, member: Member | Unfit, key: str, store: Callable[[Readable], str]) -> NewFile:
        if isinstance(member, Unfit):
            return _refused(key, member.name, member.error)
        self.uploads.blobs.check_room(member.size)
        try:
            return NewFile(key, member.name, store(member.stream))
        except ImageUnreadable as error:
            return _refused(key, member.name, error)


def _members(stream: BinaryIO, allowance: Allowance) -> Iterator[Member | Unfit] | None:
    """Return the members of an archive, `None` for other files."""
    if is_zip(stream):
        return zip_members(stream, allowance)
    if is_tar(stream):
        return tar_members(stream, allowance)
    return None


def _refused(key: str, name: str, error: LookalikeError) -> NewFile:
    return NewFile(key, name, action=FileAction.REFUSED, code=error.code, detail=str(error))
