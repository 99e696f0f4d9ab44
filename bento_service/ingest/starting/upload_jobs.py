"""Starting jobs of pictures that were sent, one by one or in archives."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any, BinaryIO

from bento_service.catalogue import Catalogue
from bento_service.catalogue.jobs.records import Claim, JobRecord, NewFile, NewJob
from bento_service.catalogue.records import Computed
from bento_service.catalogue.tables import FileAction, SourceKind
from bento_service.errors import ImageUnreadable, InvalidArgument, LookalikeError
from bento_service.ingest.archives.limits import Allowance, Limits, Member, Unfit, is_zip
from bento_service.ingest.archives.tars import is_tar, tar_members
from bento_service.ingest.archives.zips import zip_members
from bento_service.ingest.starting.folder_jobs import collection_for_training
from bento_service.storage.uploads import Readable, Uploads

_MAX_NAME = 1024


@dataclass(frozen=True)
class Sent:
    """A file of a request."""

    name: str
    stream: BinaryIO


class UploadJobs:
    """Stores what was sent, and puts it on the list of jobs; all of a request or nothing."""

    def __init__(
        self,
        catalogue: Catalogue,
        uploads: Uploads,
        computed: Computed,
        limits: Limits,
    ) -> None:
        """Prepare.

        Args:
            catalogue: Where jobs go.
            uploads: Where the bytes go.
            computed: What the service computes.
            limits: Of archives.
        """
        self._catalogue = catalogue
        self._uploads = uploads
        self._computed = computed
        self._limits = limits

    def start(
        self,
        sent: Sequence[Sent],
        collection: str,
        metadata: dict[str, Any],
        claim: Claim | None = None,
    ) -> JobRecord:
        """Make a job of the files of a request, each archive's members in its place.

        Raises:
            StorageFull: The disk has no room.
            TooLarge: An archive holds more than is allowed.
            InvalidArgument: An archive is damaged or encrypted, or a collection cannot have that
                name.
            Conflict: See `collection_for_training` and `Jobs.create`.
        """
        held = collection_for_training(self._catalogue, collection, self._computed)
        allowance = Allowance(self._limits)
        with self._uploads.intake() as store:
            numbers = count(1)
            listed = [file for one in sent for file in self._files(one, numbers, store, allowance)]
            if not listed:
                raise InvalidArgument("files: the archive holds no files; nothing was done")
            job = NewJob(kind=SourceKind.UPLOAD, metadata=metadata, files=tuple(listed))
            record = self._catalogue.jobs.create(held.id, held.name, job, claim)
        if claim is not None:
            # The job may be that of an earlier call, which has uploads of its own.
            self._uploads.discard({file.sha256 for file in listed if file.sha256 is not None})
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
            yield NewFile(str(number), _name(sent.name, number), store(sent.stream))
            return
        for member in members:
            yield self._file(member, str(next(numbers)), store)

    def _file(self, member: Member | Unfit, key: str, store: Callable[[Readable], str]) -> NewFile:
        if isinstance(member, Unfit):
            return _refused(key, member.name, member.error)
        self._uploads.check_room(member.size)
        try:
            return NewFile(key, member.name, store(member.stream))
        except ImageUnreadable as error:
            return _refused(key, member.name, error)


def _members(stream: BinaryIO, allowance: Allowance) -> Iterator[Member | Unfit] | None:
    """What an archive holds; `None` for a file that is none."""
    if is_zip(stream):
        return zip_members(stream, allowance)
    if is_tar(stream):
        return tar_members(stream, allowance)
    return None


def _refused(key: str, name: str, error: LookalikeError) -> NewFile:
    return NewFile(key, name, action=FileAction.REFUSED, code=error.code, detail=str(error))


def _name(name: str, number: int) -> str:
    return name.replace("\0", "").strip("/")[-_MAX_NAME:] or f"upload-{number}"
