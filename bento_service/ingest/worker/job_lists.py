"""Lists of a job's entries: the files of a folder, the lines of a manifest, or images."""

from collections.abc import Iterator

from bento_service.catalogue import Catalogue
from bento_service.catalogue.jobs.records import JobRecord, NewFile
from bento_service.catalogue.states import FileAction, SourceKind
from bento_service.errors import Forbidden, InvalidArgument, LookalikeError, NotReady
from bento_service.ingest.manifests import Addition, Deletion, Faulty, Statement, statements
from bento_service.storage.image_roots import ImageRoots, is_absolute
from bento_service.storage.skips import Skips
from bento_service.storage.uploads import Uploads


class Lists:
    """The entries of jobs, in the same order at every call."""

    def __init__(self, catalogue: Catalogue, roots: ImageRoots, uploads: Uploads) -> None:
        self._catalogue = catalogue
        self._roots = roots
        self._uploads = uploads

    def of(self, job: JobRecord, skips: Skips | None = None) -> Iterator[NewFile]:
        """Yield the entries of a job; `skips` counts what is skipped.

        Raise `LookalikeError` if the folder or the manifest is missing or has been replaced.
        """
        if job.kind is SourceKind.REINDEX:
            return self._catalogue.reindexes.files(job.number)
        if job.manifest is not None:
            return self._of_manifest(job, job.manifest)
        return self._of_folder(job, Skips() if skips is None else skips)

    def close(self, job: JobRecord) -> None:
        """Discard the manifest of a job whose entries are all listed."""
        if job.manifest is not None:
            self._uploads.discard({job.manifest})

    def _of_folder(self, job: JobRecord, skips: Skips) -> Iterator[NewFile]:
        located = self._roots.locate(job.path or ".", job.root)
        files = self._roots.walk(
            located,
            recursive=job.recursive,
            ignore=job.ignore,
            follow_links=job.follow_links,
            skips=skips,
        )
        for file in files:
            yield NewFile(file.path, file.path, stamp=file.stamp, volume=file.volume)

    def _of_manifest(self, job: JobRecord, manifest: str) -> Iterator[NewFile]:
        with self._uploads.blobs.open(manifest) as stream:
            for statement in statements(stream):
                try:
                    yield self._entry(job, statement)
                except NotReady:
                    raise  # no fault of the line
                except LookalikeError as error:
                    yield _refused(job, statement.line, error)

    def _entry(self, job: JobRecord, statement: Statement) -> NewFile:
        key = str(statement.line)
        if isinstance(statement, Faulty):
            return _refused(job, statement.line, statement.reason)
        if isinstance(statement, Addition):
            path = self._path(job, statement.path)
            return NewFile(key, path, metadata=statement.metadata)
        return self._deletion(job, key, statement)

    def _deletion(self, job: JobRecord, key: str, statement: Deletion) -> NewFile:
        if statement.path is not None:
            return NewFile(key, self._path(job, statement.path), action=FileAction.DELETE)
        return NewFile(
            key,
            f"{job.manifest_name}:{key}",
            statement.sha256,
            action=FileAction.DELETE,
            image_id=statement.image_id,
        )

    def _path(self, job: JobRecord, path: str) -> str:
        """Return a manifest's path relative to the job's root."""
        if is_absolute(path):
            located = self._roots.locate(path)
        else:
            located = self._roots.locate(f"{job.path}/{path}".lstrip("/"), job.root)
        if located.root.name != job.root:
            raise Forbidden("the path is under another image root; a manifest is about one root")
        if not located.path:
            raise InvalidArgument("the path is the image root itself; name a file")
        return self._roots.spelled(located).path


def _refused(job: JobRecord, line: int, error: LookalikeError) -> NewFile:
    return NewFile(
        str(line),
        f"{job.manifest_name}:{line}",
        action=FileAction.REFUSED,
        code=error.code,
        detail=f"line {line}: {error}",
    )
