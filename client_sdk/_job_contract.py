"""The calls of the HTTP contract, version 2, that start jobs and that are about jobs."""

import json
from collections.abc import Iterable, Mapping
from pathlib import PurePath
from typing import Any, TypedDict, Unpack
from uuid import uuid4

from client_sdk._arguments import text_or_texts
from client_sdk._call import (
    API,
    KEY_HEADER,
    Call,
    form_value,
    given,
    model,
    nothing,
    params_of,
    segment,
)
from client_sdk._pictures import Part, Picture, to_part, to_parts
from client_sdk.errors import UsageError
from client_sdk.schemas import (
    DEFAULT_COLLECTION,
    Collection,
    Job,
    JobErrorList,
    JobList,
)


class TrainKeywords(TypedDict, total=False):
    """The options of a train call of each kind; see `Client.train`."""

    collection: str
    root: str | None
    metadata: Mapping[str, Any] | None
    verify_bytes: bool
    dry_run: bool
    idempotency_key: str | None


def train(
    path: str | PurePath,
    *,
    recursive: bool = True,
    ignore: str | Iterable[str] = (),
    prune: bool = False,
    **options: Unpack[TrainKeywords],
) -> Call[Job]:
    """Index a file or a folder that the service can read."""
    body = {
        "path": _posix(path),
        "recursive": recursive,
        "ignore": text_or_texts("ignore", ignore, "patterns, such as `*.gif`"),
        "prune": prune or None,
        **_train_options(options),
    }
    return _train(options, json=given(body))


def train_manifest(
    manifest: str | PurePath,
    *,
    path: str | PurePath | None = None,
    **options: Unpack[TrainKeywords],
) -> Call[Job]:
    """Work off a manifest that the service can read."""
    body = {
        "manifest": _posix(manifest),
        "path": None if path is None else _posix(path),
        **_train_options(options),
    }
    return _train(options, json=given(body))


def upload_manifest(
    manifest: Picture,
    *,
    path: str | PurePath | None = None,
    **options: Unpack[TrainKeywords],
) -> Call[Job]:
    """Work off a manifest that travels with the request."""
    fields = {"path": None if path is None else _posix(path), **_train_options(options)}
    metadata = fields.pop("metadata", None)
    form = {name: form_value(value) for name, value in given(fields).items()}
    if metadata:
        form["metadata"] = json.dumps(metadata, ensure_ascii=False, allow_nan=False)
    return _train(options, form=form, parts=(to_part("manifest", manifest),))


def _train(options: TrainKeywords, **sent: Any) -> Call[Job]:
    headers = _under(options.get("idempotency_key"))
    return Call(method="POST", path=f"{API}/train", headers=headers, read=model(Job), **sent)


def _train_options(options: TrainKeywords) -> dict[str, object]:
    # What an older service does not know is not sent unless it was asked for.
    return {
        "collection": options.get("collection", DEFAULT_COLLECTION),
        "root": options.get("root"),
        "metadata": dict(options.get("metadata") or {}),
        "verify_bytes": options.get("verify_bytes") or None,
        "dry_run": options.get("dry_run") or None,
    }


def _posix(path: str | PurePath) -> str:
    return path.as_posix() if isinstance(path, PurePath) else path


def upload(
    pictures: Picture | Iterable[Picture],
    *,
    collection: str = DEFAULT_COLLECTION,
    metadata: Mapping[str, Any] | None = None,
    idempotency_key: str | None = None,
) -> Call[Job]:
    """Index pictures that travel with the request."""
    return upload_parts(
        to_parts("files", pictures),
        collection=collection,
        metadata=metadata,
        idempotency_key=idempotency_key,
    )


def upload_parts(
    parts: tuple[Part, ...],
    *,
    collection: str,
    metadata: Mapping[str, Any] | None,
    idempotency_key: str | None = None,
) -> Call[Job]:
    """The same with files of a form."""
    form = {"collection": collection}
    if metadata:
        form["metadata"] = json.dumps(dict(metadata), ensure_ascii=False, allow_nan=False)
    return Call(
        method="POST",
        path=f"{API}/train",
        headers=_under(idempotency_key),
        form=form,
        parts=parts,
        read=model(Job),
    )


def process(job: Job | str | None = None) -> Call[Job]:
    """How far a job has come; the newest one where none is named."""
    params = params_of(job=None if job is None else _id_of(job))
    return Call(method="GET", path=f"{API}/process", params=params, read=model(Job))


def jobs(
    *,
    state: str | Iterable[str] = (),
    collection: str | None = None,
    page_size: int = 100,
) -> Call[JobList]:
    """The first page of the jobs, newest first."""
    states = text_or_texts("state", state, "states, such as `failed`")
    params = params_of(state=states or None, collection=collection, limit=page_size)
    return Call(method="GET", path=f"{API}/jobs", params=params, read=model(JobList))


def identify(job: Job | str) -> str:
    """The id of a job.

    Raises:
        UsageError: If there is none, as in the answer of `process` before the first job, or it is
            no text.
    """
    identifier = _id_of(job)
    if not identifier:
        raise UsageError("there is no job yet; start one with `train` or `upload`")
    return identifier


def _id_of(job: object) -> str | None:
    identifier = job.id if isinstance(job, Job) else job
    if identifier is None or isinstance(identifier, str):
        return identifier
    raise UsageError(f"{identifier!r} is not the id of a job; give the job, or its id as a text")


def job(job: Job | str) -> Call[Job]:
    """One job."""
    return Call(method="GET", path=_job_path(job), read=model(Job))


def job_errors(job: Job | str, *, page_size: int = 100) -> Call[JobErrorList]:
    """The first page of the files that a job could not index."""
    path = f"{_job_path(job)}/errors"
    return Call(
        method="GET", path=path, params=params_of(limit=page_size), read=model(JobErrorList)
    )


def cancel(job: Job | str) -> Call[Job]:
    """End a job that is not finished."""
    path = f"{_job_path(job)}/cancel"
    return Call(method="POST", path=path, read=model(Job), is_harmless=True)


def retry(job: Job | str) -> Call[Job]:
    """Try again what a finished job failed at or did not reach."""
    return Call(method="POST", path=f"{_job_path(job)}/retry", read=model(Job))


def events(job: Job | str) -> Call[None]:
    """Follow a job; what comes is read while it comes, by `client_sdk._events`."""
    headers = {"Accept": "text/event-stream", "Cache-Control": "no-store"}
    return Call(method="GET", path=f"{_job_path(job)}/events", headers=headers, read=nothing)


def _job_path(job: Job | str) -> str:
    return f"{API}/jobs/{segment(identify(job))}"


def _under(key: str | None) -> dict[str, str]:
    """The header that makes a call safe to repeat; a key of its own where none is given."""
    return {KEY_HEADER: uuid4().hex if key is None else key}


def reindex(
    name: str,
    descriptor: str | None = None,
    *,
    drop_missing: bool = False,
    idempotency_key: str | None = None,
) -> Call[Job]:
    """Describe the images of a collection anew."""
    body = given({"descriptor": descriptor, "drop_missing": drop_missing})
    headers = _under(idempotency_key)
    path = _reindex_path(name)
    return Call(method="POST", path=path, headers=headers, json=body, read=model(Job))


def undo_reindex(name: str) -> Call[Collection]:
    """Let searches use the former descriptors again."""
    return Call(method="POST", path=f"{_reindex_path(name)}/undo", read=model(Collection))


def forget_reindex(name: str) -> Call[None]:
    """Give up an unfinished reindex, and drop the former descriptors."""
    return Call(method="DELETE", path=_reindex_path(name), read=nothing)


def _reindex_path(name: str) -> str:
    return f"{API}/collections/{segment(name)}/reindex"
