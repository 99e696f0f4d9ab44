"""The calls that start jobs, and the paths of jobs."""

from collections.abc import Mapping
from pathlib import PurePath
from typing import Any, TypedDict
from uuid import uuid4

from client_sdk._arguments import check_names, json_text, metadata_of
from client_sdk._calls.call import KEY_HEADER, Call, api, form_of, given, model, segment
from client_sdk._calls.pictures import Part, Picture, to_part
from client_sdk.errors import UsageError
from client_sdk.schemas import DEFAULT_COLLECTION, Job


class TrainKeywords(TypedDict, total=False):
    """The options that all train calls share; see `Client.train`."""

    collection: str
    root: str | None
    metadata: Mapping[str, Any] | None
    verify_bytes: bool
    dry_run: bool
    idempotency_key: str | None


def train(fields: Mapping[str, object], options: TrainKeywords) -> Call[Job]:
    """Return the call that indexes a path that the service can read, or applies a manifest."""
    if "path" not in fields and "manifest" not in fields:
        raise UsageError("train() needs a path, or manifest=...")
    return _train(options, json={**fields, **given(**_train_options("train", options))})


def upload_manifest(
    manifest: Picture, path: str | PurePath | None, options: TrainKeywords
) -> Call[Job]:
    """Return the call that sends and applies a manifest."""
    fields = given(path=posix("path", path), **_train_options("upload_manifest", options))
    form = _with_metadata(fields)
    return _train(options, form=form, parts=(to_part("manifest", manifest),))


def upload(
    parts: tuple[Part, ...],
    *,
    collection: str,
    metadata: Mapping[str, Any] | None,
    idempotency_key: str | None = None,
) -> Call[Job]:
    """Return the call that sends and indexes pictures."""
    form = _with_metadata({"collection": collection, "metadata": metadata_of(metadata)})
    return _train({"idempotency_key": idempotency_key}, form=form, parts=parts)


def _train(options: TrainKeywords, **sent: Any) -> Call[Job]:
    headers = key_header(options.get("idempotency_key"))
    return api("POST", "/train", model(Job), headers=headers, **sent)


def _train_options(method: str, options: TrainKeywords) -> dict[str, object]:
    check_names(method, options, TrainKeywords.__annotations__)
    # An older service rejects fields that it does not know: send only those that are set.
    return {
        "collection": options.get("collection", DEFAULT_COLLECTION),
        "root": options.get("root"),
        "metadata": metadata_of(options.get("metadata")),
        "verify_bytes": options.get("verify_bytes") or None,
        "dry_run": options.get("dry_run") or None,
    }


def _with_metadata(fields: dict[str, object]) -> dict[str, str]:
    metadata = fields.pop("metadata", None)
    form = form_of(fields)
    return {**form, "metadata": json_text("metadata", metadata)} if metadata else form


def key_header(key: str | None) -> dict[str, str]:
    """Return the idempotency header of a call, with a new key unless one is given."""
    return {KEY_HEADER: uuid4().hex if key is None else key}


def identify(job: Job | str | None) -> str:
    """Return the id of a job."""
    identifier: object = job.id if isinstance(job, Job) else job
    if not identifier:
        raise UsageError("there is no job yet; start one with `train` or `upload`")
    if not isinstance(identifier, str):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise UsageError(f"{identifier!r} is not the id of a job; give the job, or its id as text")
    return identifier


def job_path(job: Job | str, verb: str = "") -> str:
    """Return the path of a job, or of an action or resource below it, such as `/cancel`."""
    return f"/jobs/{segment(identify(job))}{verb}"


def reindex_path(name: str, verb: str = "") -> str:
    """Return the path of the reindex of a collection, or of an action below it."""
    return f"/collections/{segment(name)}/reindex{verb}"


def posix(name: str, path: str | PurePath | None) -> str | None:
    """Return a path on the service's machine with forward slashes."""
    if isinstance(path, PurePath):
        return path.as_posix()
    if not isinstance(path, str | None):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise UsageError(f"{name}={path!r}; give a text or a path object")
    return path
