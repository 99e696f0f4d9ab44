"""The calls of the HTTP contract, version 2, that start jobs and that are about jobs."""

import json
from collections.abc import Iterable, Mapping
from pathlib import PurePath
from typing import Any

from client_sdk._call import API, Call, given, model, nothing, params_of, segment
from client_sdk._pictures import Picture, to_parts
from client_sdk.errors import UsageError
from client_sdk.schemas import (
    DEFAULT_COLLECTION,
    Collection,
    Job,
    JobErrorList,
    JobList,
)


def train(
    path: str | PurePath,
    *,
    collection: str = DEFAULT_COLLECTION,
    root: str | None = None,
    recursive: bool = True,
    ignore: str | Iterable[str] = (),
    metadata: Mapping[str, Any] | None = None,
    idempotency_key: str | None = None,
) -> Call[Job]:
    """Index a file or a folder that the service can read."""
    body = {
        "path": path.as_posix() if isinstance(path, PurePath) else path,
        "collection": collection,
        "root": root,
        "recursive": recursive,
        "ignore": [ignore] if isinstance(ignore, str) else list(ignore),
        "metadata": dict(metadata or {}),
    }
    headers = _under(idempotency_key)
    return Call(
        method="POST", path=f"{API}/train", headers=headers, json=given(body), read=model(Job)
    )


def upload(
    pictures: Picture | Iterable[Picture],
    *,
    collection: str = DEFAULT_COLLECTION,
    metadata: Mapping[str, Any] | None = None,
    idempotency_key: str | None = None,
) -> Call[Job]:
    """Index pictures that travel with the request."""
    form = {"collection": collection}
    if metadata:
        form["metadata"] = json.dumps(dict(metadata), ensure_ascii=False, allow_nan=False)
    parts = to_parts("files", pictures)
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
    identifier = job.id if isinstance(job, Job) else job
    params = params_of(job=identifier)
    return Call(method="GET", path=f"{API}/process", params=params, read=model(Job))


def jobs(
    *,
    state: str | Iterable[str] = (),
    collection: str | None = None,
    page_size: int = 100,
) -> Call[JobList]:
    """The first page of the jobs, newest first."""
    states = [state] if isinstance(state, str) else [str(one) for one in state]
    params = params_of(state=states or None, collection=collection, limit=page_size)
    return Call(method="GET", path=f"{API}/jobs", params=params, read=model(JobList))


def identify(job: Job | str) -> str:
    """The id of a job.

    Raises:
        UsageError: If there is none: the answer of `process` before the first job.
    """
    identifier = job.id if isinstance(job, Job) else job
    if not identifier:
        raise UsageError("there is no job yet; start one with `train` or `upload`")
    return identifier


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
    return Call(method="POST", path=f"{_job_path(job)}/cancel", read=model(Job))


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
    return {} if key is None else {"Idempotency-Key": key}


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
