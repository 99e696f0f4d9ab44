"""Training from a folder, uploaded files and archives, or a manifest, and its progress."""

from collections.abc import Sequence
from functools import partial
from io import BytesIO
from typing import Any, BinaryIO

from fastapi import APIRouter, Request, Response
from fastapi.concurrency import run_in_threadpool
from pydantic import Field
from starlette.datastructures import FormData, UploadFile

from bento_service import request_fields
from bento_service.api import wire
from bento_service.api.auth.access import READ, TRAIN
from bento_service.api.http.bodies import (
    App,
    file_metadata,
    form_body,
    is_form,
    json_body,
    parsed_metadata,
    text_fields,
    uploaded,
)
from bento_service.api.http.idempotency import IdempotencyKey, start_once
from bento_service.api.openapi import FILE, body_of, form_content, json_content
from bento_service.api.routes.jobs import accepted
from bento_service.application import Application
from bento_service.catalogue.jobs.records import JobRecord
from bento_service.errors import InvalidArgument
from bento_service.ingest.starting.folder_jobs import start_folder_job
from bento_service.ingest.starting.upload_jobs import Sent
from bento_service.requests import TrainRequest
from bento_service.storage.digests import whole_digest
from client_sdk.schemas import DEFAULT_COLLECTION, Job

router = APIRouter(prefix="/api/v2")

_OF_MANIFEST = ("path", "root", "dry_run", "verify_bytes")


class _UploadForm(request_fields.Request):
    """The text fields of a form with `files`."""

    collection: request_fields.Name = DEFAULT_COLLECTION
    metadata: str | None = Field(
        default=None, description="a JSON object, or a list: one for each file"
    )
    batch: str | None = Field(
        default=None,
        max_length=64,
        description="with `files`: a name for one upload in several requests",
    )


def _train_form() -> dict[str, Any]:
    fields: dict[str, Any] = TrainRequest.model_json_schema()["properties"]
    uploads: dict[str, Any] = _UploadForm.model_json_schema()["properties"]
    manifest: dict[str, Any] = {
        name: {**fields[name], "description": "with a manifest"} for name in _OF_MANIFEST
    }
    pictures = {"type": "array", "items": FILE, "description": "pictures, zip and tar archives"}
    return form_content(
        files=pictures,
        **uploads,
        manifest={**FILE, "description": "instead of `files`: NDJSON or CSV"},
        **manifest,
    )


@router.post(
    "/train",
    status_code=202,
    dependencies=[TRAIN],
    openapi_extra=body_of(json_content(TrainRequest), _train_form()),
)
async def train(
    request: Request, response: Response, app: App, idempotency_key: IdempotencyKey = None
) -> Job:
    """Index a folder that the service can read, uploaded pictures and archives, or a manifest.

    The call answers at once; `Location` is the address of the job.
    """
    if is_form(request):
        async with form_body(request) as form:
            start = _start_manifest if "manifest" in form else _start_uploads
            record = await run_in_threadpool(start, app, form, idempotency_key)
    else:
        body = await json_body(request, TrainRequest)
        record = await run_in_threadpool(_start_named, app, body, idempotency_key)
    return await accepted(response, app, record)


@router.get("/process", dependencies=[READ])
def process(app: App, job: str | None = None) -> Job:
    """Return a job, the newest one if none is named."""
    if job is not None:
        return wire.job(app, app.catalogue.jobs.get(job))
    newest = app.catalogue.jobs.page(before=None, limit=1)
    return wire.job(app, newest[0]) if newest else wire.idle_job(DEFAULT_COLLECTION)


def _start_named(app: Application, body: TrainRequest, key: str | None) -> JobRecord:
    start = partial(start_folder_job, app.catalogue, app.roots, app.computed, body)
    if body.manifest is not None:
        start = partial(app.manifest_jobs.start, body)
    return start_once(app, key, "train", body.model_dump, start)


def _start_uploads(app: Application, form: FormData, key: str | None) -> JobRecord:
    files = uploaded(form, "files")
    fields = _UploadForm.from_form(text_fields(form, without={"files"}))
    metadata, own = file_metadata(fields.metadata, len(files))
    sent = [
        Sent(file.filename or "", file.file, values)
        for file, values in zip(files, own, strict=True)
    ]
    body = partial(_identified, fields.model_dump() | {"metadata": metadata}, files=sent)
    start = partial(app.upload_jobs.start, sent, fields.collection, metadata, batch=fields.batch)
    return start_once(app, key, "train", body, start)


def _start_manifest(app: Application, form: FormData, key: str | None) -> JobRecord:
    if "files" in form:
        raise InvalidArgument("manifest: send it without `files`; it names files of an image root")
    manifest, *more = form.getlist("manifest")
    if more:
        raise InvalidArgument("manifest: send one at a time")
    fields: dict[str, Any] = {**text_fields(form, without={"manifest"})}
    fields["metadata"] = parsed_metadata(fields.get("metadata"))
    request = TrainRequest.from_form(fields)
    stream: BinaryIO = BytesIO(manifest.encode()) if isinstance(manifest, str) else manifest.file
    sent = Sent(_name(manifest), stream)
    body = partial(_identified, request.model_dump(), manifest=[sent])
    start = partial(app.manifest_jobs.start_sent, request, sent.stream, sent.name)
    return start_once(app, key, "train", body, start)


def _identified(fields: dict[str, Any], **sent: Sequence[Sent]) -> dict[str, Any]:
    """Return the fields of a form with the name, digest and metadata of each of its files."""
    files = {
        part: [[file.name, whole_digest(file.stream), file.metadata] for file in parts]
        for part, parts in sent.items()
    }
    return {**fields, **files}


def _name(manifest: UploadFile | str) -> str:
    filename = "" if isinstance(manifest, str) else manifest.filename or ""
    return filename.replace("\0", "").rsplit("/", 1)[-1][-200:] or "manifest"
