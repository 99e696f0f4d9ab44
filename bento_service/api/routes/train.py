"""Training from a folder, uploaded files and archives, or a manifest, and its progress."""

from collections.abc import Sequence
from functools import partial
from io import BytesIO
from typing import Any, BinaryIO

from fastapi import APIRouter, Request, Response
from fastapi.concurrency import run_in_threadpool
from starlette.datastructures import FormData, UploadFile

from bento_service.api import wire
from bento_service.api.auth.access import READ, TRAIN
from bento_service.api.http.bodies import (
    App,
    form_body,
    is_form,
    json_body,
    parsed_metadata,
    text_fields,
    uploaded,
)
from bento_service.api.http.idempotency import IdempotencyKey, claim_of, once
from bento_service.api.openapi import COLLECTION, FILE, body_of, form_content, json_content
from bento_service.api.routes.jobs import accepted
from bento_service.application import Application
from bento_service.catalogue.jobs.records import Claim, JobRecord
from bento_service.errors import InvalidArgument
from bento_service.ingest.starting.folder_jobs import start_folder_job
from bento_service.ingest.starting.upload_jobs import Sent
from bento_service.storage.digests import stream_digest
from client_sdk.schemas import DEFAULT_COLLECTION, Job, TrainRequest

router = APIRouter(prefix="/api/v2")

_UPLOAD_FIELDS = {"collection", "metadata"}
_OF_MANIFEST = ("path", "root", "dry_run", "verify_bytes")
_MANIFEST_FIELDS = _UPLOAD_FIELDS.union(_OF_MANIFEST)


def _train_form() -> dict[str, Any]:
    fields: dict[str, Any] = TrainRequest.model_json_schema()["properties"]
    of_manifest: dict[str, Any] = {
        name: {**fields[name], "description": "with a manifest"} for name in _OF_MANIFEST
    }
    pictures = {"type": "array", "items": FILE, "description": "pictures, zip and tar archives"}
    return form_content(
        files=pictures,
        collection=COLLECTION,
        metadata={"type": "string", "description": "a JSON object"},
        manifest={**FILE, "description": "instead of `files`: NDJSON or CSV"},
        **of_manifest,
    )


@router.post(
    "/train",
    status_code=202,
    response_model=Job,
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
        record = await _start_sent(request, app, idempotency_key)
    else:
        body = await json_body(request, TrainRequest)
        record = await run_in_threadpool(_start_named, app, body, idempotency_key)
    return await accepted(response, app, record)


@router.get("/process", response_model=Job, dependencies=[READ])
def process(app: App, job: str | None = None) -> Job:
    """Return a job, the newest one if none is named."""
    if job is not None:
        return wire.job(app, app.catalogue.jobs.get(job))
    newest = app.catalogue.jobs.page(before=None, limit=1)
    return wire.job(app, newest[0]) if newest else wire.idle_job(DEFAULT_COLLECTION)


def _start_named(app: Application, body: TrainRequest, key: str | None) -> JobRecord:
    """Start the job of a JSON body, once for each key."""
    claim = claim_of(key, "train", body.model_dump(mode="json"))
    start = partial(start_folder_job, app.catalogue, app.roots, app.computed, body, claim)
    if body.manifest is not None:
        start = partial(app.manifest_jobs.start, body, claim)
    return once(app, claim, start)


async def _start_sent(request: Request, app: Application, key: str | None) -> JobRecord:
    """Start the job of a form, once for each key."""
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
    """Store files and start their job, unless the same key has done so."""
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
    """Store a manifest and start its job, unless the same key has done so."""
    claim = _claim_of_form(key, body.model_dump(mode="json"), "manifest", [sent])
    start = partial(app.manifest_jobs.start_sent, body, sent.stream, sent.name, claim)
    return once(app, claim, start)


def _claim_of_form(
    key: str | None, fields: dict[str, Any], part: str, sent: Sequence[Sent]
) -> Claim | None:
    """Return the claim of a form: its fields, and the names and digests of its files."""
    if key is None:
        return None  # saves reading the files a second time
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
