"""Indexing: the methods of `AsyncClient` that index pictures and find jobs."""

import os
from collections.abc import AsyncIterator, Iterable, Mapping
from pathlib import PurePath
from typing import Any, Unpack, cast

from client_sdk._arguments import check_json, checked, json_text
from client_sdk._async.connection import AsyncConnection
from client_sdk._async.folders import AsyncFolderUpload
from client_sdk._async.handles import AsyncJobHandle
from client_sdk._calls.call import Call, Page, job_path, key_header
from client_sdk._calls.options import FolderKeywords, TrainKeywords
from client_sdk._calls.pictures import Part, Picture, to_part, to_parts
from client_sdk._folder.plan import FolderOptions
from client_sdk._folder.report import UploadReport
from client_sdk.errors import UsageError
from client_sdk.schemas import DEFAULT_COLLECTION, Job, JobState


@checked
class AsyncIndexingCalls:
    """The methods of `AsyncClient` that index pictures and find jobs."""

    _connection: AsyncConnection

    async def train(
        self,
        path: str | PurePath | None = None,
        *,
        manifest: str | PurePath | None = None,
        recursive: bool = True,
        ignore: str | Iterable[str] = (),
        prune: bool = False,
        **options: Unpack[TrainKeywords],
    ) -> AsyncJobHandle:
        """Start to index a file or a folder that the service can read, or to apply a manifest.

        Files that did not change since they were indexed are not read again.

        Args:
            path: The path on the service's machine, absolute or relative to an image root. With a
                manifest, the folder to which its paths are relative; by default the manifest's own
                folder.
            manifest: The path, on the service's machine, of an NDJSON or CSV file that lists images
                to add and to delete.
            recursive: If true, include subfolders.
            ignore: Patterns of files and folders to skip, such as `*.gif`, `drafts/` or
                `**/thumbs/**`.
            prune: If true, delete images whose files are gone from the folder.
            **options: Each with its default in parentheses: `collection` of the images
                (`default`); `root`, the name of the image root of a relative path, required if the
                service has several; `metadata`, stored with every new image (none);
                `verify_bytes`, read also files that seem unchanged (no); `follow_links`, follow
                symbolic links that stay under the image root (no); `dry_run`, change nothing and
                report what would happen to every file (no); `idempotency_key`: a second call with
                the same key within 24 hours returns the job of the first one (a new key for each
                call).

        Returns:
            The accepted job; its `wait` waits for its end.
        """
        if path is None and manifest is None:
            raise UsageError("train() needs a path, or manifest=...")
        fields = {
            "path": _posix(path),
            "manifest": _posix(manifest),
            "recursive": recursive,
            "ignore": [ignore] if isinstance(ignore, str) else ignore,
            "prune": prune or None,
            **_shared(options),
        }
        return await self._start(fields, options.get("idempotency_key"))

    async def upload(
        self,
        images: Picture | Iterable[Picture],
        *,
        collection: str = DEFAULT_COLLECTION,
        metadata: Mapping[str, Any] | Iterable[Mapping[str, Any] | None] | None = None,
        idempotency_key: str | None = None,
    ) -> AsyncJobHandle:
        """Send pictures and start to index them.

        All are sent in one request. A zip or tar archive (.gz, .bz2, .xz, .zst) is unpacked, and
        the pictures in it are indexed.

        Args:
            images: One picture or archive, or several.
            collection: The collection of the images.
            metadata: Metadata to store with every new image, or a list with the metadata of each
                picture; an archive gives its metadata to all pictures in it.
            idempotency_key: The same as in `train`.
        """
        parts = to_parts("files", images)
        fields = {"collection": collection, "metadata": _metadata_text(metadata, len(parts))}
        return await self._start(fields, idempotency_key, parts)

    async def upload_folder(
        self, folder: str | os.PathLike[str], **options: Unpack[FolderKeywords]
    ) -> UploadReport:
        """Send the pictures of a folder that the service does not have yet.

        Files are read and sent in batches, so that a folder of any size fits in memory. After an
        interruption the same call continues with the rest; no file is lost or stored twice.

        Args:
            folder: The folder. The source of each image is its path relative to it.
            **options: Each with its default in parentheses: `collection` of the images
                (`default`); `pattern`, the files to send (the usual names of picture files; `*`
                selects every file), and `ignore`, the files to skip (none), both as in a
                `.gitignore`; `recursive`, include subfolders (yes); `metadata`, stored with every
                new image (none); `concurrency`, the number of parallel requests (4); `batch_files`
                (100) and `batch_bytes` (32 MiB), the limits of one request; `skip_known`, ask the
                service first which files the collection has, and skip them (yes); `wait`, wait for
                the jobs (yes), each for at most `timeout` seconds (3600); `progress`, show the
                progress on stderr (no).

        Returns:
            The outcome of every file. A failed file is reported and raises nothing.

        Raises:
            UploadStopped: If the upload cannot continue, for example because the service is
                unreachable for too long.
        """
        upload = AsyncFolderUpload(self._connection, FolderOptions(**options))
        return await upload.run(folder)

    async def upload_manifest(
        self,
        manifest: Picture,
        *,
        path: str | PurePath | None = None,
        **options: Unpack[TrainKeywords],
    ) -> AsyncJobHandle:
        """Send a manifest and start to apply it: it lists files under an image root.

        Args:
            manifest: The manifest: a path, bytes, `(name, bytes)` or a file opened in binary mode.
            path: The folder to which its paths are relative; by default the image root.
            **options: The same as in `train`.
        """
        text = _metadata_text(options.get("metadata"))
        fields = {"path": _posix(path), **_shared(options), "metadata": text}
        parts = (to_part("manifest", manifest),)
        return await self._start(fields, options.get("idempotency_key"), parts)

    async def job(self, job: Job | str | None = None) -> AsyncJobHandle:
        """Return a job by its id; without an id, the newest job.

        Before the first job, this is a job with the state `idle` and the id `None`.
        """
        path = "/process" if job is None else job_path(job)
        return await self._connection.send(Call("GET", path, AsyncJobHandle))

    def jobs(
        self,
        *,
        state: JobState | str | Iterable[JobState | str] = (),
        collection: str | None = None,
    ) -> AsyncIterator[AsyncJobHandle]:
        """Yield the jobs, newest first.

        Args:
            state: Yield only jobs in this state, or in one of these states.
            collection: Yield only jobs of this collection.
        """
        states = [state] if isinstance(state, str) else list(state)
        fields = {"state": states or None, "collection": collection, "limit": 100}
        return self._connection.items(Call("GET", "/jobs", Page[AsyncJobHandle], fields=fields))

    async def _start(
        self, fields: Mapping[str, object], key: str | None, parts: tuple[Part, ...] = ()
    ) -> AsyncJobHandle:
        headers = key_header(key)
        call = Call("POST", "/train", AsyncJobHandle, headers=headers, fields=fields, parts=parts)
        return await self._connection.send(call)


def _shared(options: TrainKeywords) -> dict[str, object]:
    # An older service rejects unknown fields: send only those that are set.
    if metadata := options.get("metadata"):
        check_json("metadata", metadata)
    fields = {name: value for name, value in options.items() if value}
    fields.pop("idempotency_key", None)
    return {"collection": DEFAULT_COLLECTION, **fields}


def _metadata_text(metadata: object, pictures: int = 1) -> str | None:
    """Return metadata, or a list with that of each picture, as JSON; `None` if it is empty."""
    if isinstance(metadata, list):
        each = cast("list[Mapping[str, Any] | None]", metadata)
        if len(each) != pictures:
            raise UsageError(f"metadata has {len(each)} entries for {pictures} pictures")
        return json_text(
            "metadata", [check_json(f"metadata[{at}]", one or {}) for at, one in enumerate(each)]
        )
    if not metadata:
        return None
    return json_text("metadata", check_json("metadata", cast("Mapping[str, Any]", metadata)))


def _posix(path: str | PurePath | None) -> str | None:
    """Return a path on the service's machine with forward slashes."""
    return path.as_posix() if isinstance(path, PurePath) else path
