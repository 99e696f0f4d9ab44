"""What a train call brings: a folder's path, files, archives, or a manifest."""

from collections.abc import Sequence
from functools import partial
from io import BytesIO
from typing import Any, BinaryIO

from fastapi import Request
from fastapi.concurrency import run_in_threadpool
from starlette.datastructures import FormData, UploadFile

from bento_service.api.http.bodies import form_body, parsed_metadata, text_fields, uploaded
from bento_service.api.http.idempotency import claim_of, once
from bento_service.application import Application
from bento_service.catalogue.jobs.records import Claim, JobRecord
from bento_service.errors import InvalidArgument
from bento_service.ingest.starting.folder_jobs import start_folder_job
from bento_service.ingest.starting.upload_jobs import Sent
from bento_service.storage.digests import stream_digest
from client_sdk.schemas import DEFAULT_COLLECTION, TrainRequest

_UPLOAD_FIELDS = {"collection", "metadata"}
_MANIFEST_FIELDS = _UPLOAD_FIELDS | {"path", "root", "dry_run", "verify_bytes"}


def start_training(app: Application, body: TrainRequest, key: str | None) -> JobRecord:
    """Put what a JSON body names on the list of jobs, once under a key."""
    claim = claim_of(key, "train", body.model_dump(mode="json"))
    start = partial(start_folder_job, app.catalogue, app.roots, app.computed, body, claim)
    if body.manifest is not None:
        start = partial(app.manifest_jobs.start, body, claim)
    return once(app, claim, start)


async def train_form(request: Request, app: Application, key: str | None) -> JobRecord:
    """Put what a form brings on the list of jobs, once under a key."""
    async with form_body(request) as form:
        if "manifest" in form:
            return await _train_manifest(form, app, key)
        files = uploaded(form, "files")
        fields = _fields(form, "files", _UPLOAD_FIELDS)
        metadata = parsed_metadata(fields.get("metadata"))
        sent = [Sent(file.filename or "", file.file) for file in files]
        name = fields.get("collection", DEFAULT_COLLECTION)
        return await run_in_threadpool(_store_files, app, sent, name, metadata, key)


def _store_files(
    app: Application, sent: Sequence[Sent], name: str, metadata: dict[str, Any], key: str | None
) -> JobRecord:
    """Keep files and put them on the list, unless that was done under the same key."""
    claim = _claim_of_form(key, {"collection": name, "metadata": metadata}, "files", sent)
    return once(app, claim, partial(app.upload_jobs.start, sent, name, metadata, claim))


async def _train_manifest(form: FormData, app: Application, key: str | None) -> JobRecord:
    if "files" in form:
        raise InvalidArgument("manifest: goes without `files`; it names files of an image root")
    manifest, *more = form.getlist("manifest")
    if more:
        raise InvalidArgument("manifest: send one at a time")
    fields: dict[str, Any] = {**_fields(form, "manifest", _MANIFEST_FIELDS)}
    fields["metadata"] = parsed_metadata(fields.get("metadata"))
    body = TrainRequest.from_form(fields)
    stream: BinaryIO = BytesIO(manifest.encode()) if isinstance(manifest, str) else manifest.file
    return await run_in_threadpool(_store_manifest, app, body, Sent(_name(manifest), stream), key)


def _store_manifest(app: Application, body: TrainRequest, sent: Sent, key: str | None) -> JobRecord:
    """Keep a manifest and put it on the list, unless that was done under the same key."""
    claim = _claim_of_form(key, body.model_dump(mode="json"), "manifest", [sent])
    start = partial(app.manifest_jobs.start_sent, body, sent.stream, sent.name, claim)
    return once(app, claim, start)


def _claim_of_form(
    key: str | None, fields: dict[str, Any], part: str, sent: Sequence[Sent]
) -> Claim | None:
    """What a key stands for: the fields of a form, and the names and bytes of its files."""
    if key is None:
        return None  # what nobody asks again need not be read twice
    files = [[one.name, _digest(one.stream)] for one in sent]
    return claim_of(key, "train", {**fields, part: files})


def _digest(stream: BinaryIO) -> str:
    stream.seek(0)
    digest = stream_digest(stream)
    stream.seek(0)
    return digest


def _fields(form: FormData, file_field: str, known: set[str]) -> dict[str, str]:
    fields = text_fields(form, without={file_field})
    if unknown := sorted(fields.keys() - known):
        raise InvalidArgument(f"{unknown[0]}: is not a field of this call")
    return fields


def _name(manifest: UploadFile | str) -> str:
    filename = "" if isinstance(manifest, str) else manifest.filename or ""
    return filename.replace("\0", "").rsplit("/", 1)[-1][-200:] or "manifest"
