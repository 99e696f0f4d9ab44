"""What a train call brings: a folder's path, files, archives, or a manifest."""

from io import BytesIO
from typing import Any, BinaryIO

from fastapi import Request
from fastapi.concurrency import run_in_threadpool
from starlette.datastructures import FormData, UploadFile

from bento_service.api.bodies import form_body, parsed_metadata, text_fields, uploaded
from bento_service.application import Application
from bento_service.catalogue.records import JobRecord
from bento_service.errors import InvalidArgument
from bento_service.ingest.train import start_folder_job
from bento_service.ingest.upload_jobs import Sent
from client_sdk.schemas import DEFAULT_COLLECTION, TrainRequest

_UPLOAD_FIELDS = {"collection", "metadata"}
_MANIFEST_FIELDS = _UPLOAD_FIELDS | {"path", "root", "dry_run", "verify_bytes"}


def start_training(app: Application, body: TrainRequest) -> JobRecord:
    """Put what a JSON body names on the list of jobs."""
    if body.manifest is not None:
        return app.manifest_jobs.start(body)
    return start_folder_job(app.catalogue, app.roots, app.computed, body)


async def train_form(request: Request, app: Application) -> JobRecord:
    """Put what a form brings on the list of jobs."""
    async with form_body(request) as form:
        if "manifest" in form:
            return await _train_manifest(form, app)
        files = uploaded(form, "files")
        fields = _fields(form, "files", _UPLOAD_FIELDS)
        metadata = parsed_metadata(fields.get("metadata"))
        sent = [Sent(file.filename or "", file.file) for file in files]
        name = fields.get("collection", DEFAULT_COLLECTION)
        return await run_in_threadpool(app.upload_jobs.start, sent, name, metadata)


async def _train_manifest(form: FormData, app: Application) -> JobRecord:
    if "files" in form:
        raise InvalidArgument("manifest: goes without `files`; it names files of an image root")
    manifest, *more = form.getlist("manifest")
    if more:
        raise InvalidArgument("manifest: send one at a time")
    fields: dict[str, Any] = {**_fields(form, "manifest", _MANIFEST_FIELDS)}
    fields["metadata"] = parsed_metadata(fields.get("metadata"))
    body = TrainRequest.model_validate(fields)
    stream: BinaryIO = BytesIO(manifest.encode()) if isinstance(manifest, str) else manifest.file
    return await run_in_threadpool(app.manifest_jobs.start_sent, body, stream, _name(manifest))


def _fields(form: FormData, file_field: str, known: set[str]) -> dict[str, str]:
    fields = text_fields(form, without=file_field)
    if unknown := sorted(fields.keys() - known):
        raise InvalidArgument(f"{unknown[0]}: is not a field of this call")
    return fields


def _name(manifest: UploadFile | str) -> str:
    filename = "" if isinstance(manifest, str) else manifest.filename or ""
    return filename.replace("\0", "").rsplit("/", 1)[-1][-200:] or "manifest"
