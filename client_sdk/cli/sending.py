"""`lookalike train --upload`: sends files of this machine."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict

from client_sdk._folder.plan import FolderKeywords, steps
from client_sdk._folder.report import UploadReport
from client_sdk.cli.codes import Code
from client_sdk.cli.commands import No, Session
from client_sdk.cli.following import SHOWN_ERRORS, watched
from client_sdk.cli.screen import Column, Field, Form
from client_sdk.errors import UsageError
from client_sdk.schemas import JobError, JobState

_FILES_AT_ONCE = 100


class Failed(BaseModel):
    """A file that is not indexed; see `client_sdk.FailedFile`."""

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True)

    path: str
    code: str
    detail: str


class Sent(BaseModel):
    """The outcome of all sent files; it has the fields of `client_sdk.UploadReport`."""

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True)

    found: int = 0
    known: int = 0
    sent: int = 0
    indexed: int = 0
    duplicates: int = 0
    failed: tuple[Failed, ...] = ()
    bytes_sent: int = 0
    jobs: tuple[str, ...] = ()


COLUMNS = (
    Column[Failed]("file", lambda one: one.path, folds=True),
    Column[Failed]("code", lambda one: one.code, style="yellow"),
    Column[Failed]("detail", lambda one: one.detail, folds=True),
)


def send_all(
    session: Session,
    paths: Sequence[Path],
    *,
    collection: str,
    metadata: Mapping[str, Any],
    ignore: Sequence[str],
    recursive: bool,
    wait: bool,
    strict: bool,
) -> int:
    """Send folders, files and archives, show the outcome, and return the exit code."""
    keywords: FolderKeywords = {
        "collection": collection,
        "metadata": metadata,
        "ignore": [*ignore, ".*"],
        "recursive": recursive,
        "wait": wait,
        "progress": True,
    }
    parts: list[Sent] = []
    try:
        for folder in [path for path in paths if path.is_dir()]:
            parts.append(_of_report(session.client.upload_folder(folder, **keywords)))  # noqa: PERF401
        for files in steps([path for path in paths if not path.is_dir()], _FILES_AT_ONCE):
            parts.append(_files(session, files, collection, metadata, wait=wait))  # noqa: PERF401
    except KeyboardInterrupt:
        session.screen.warn("stopped; the same command goes on with the rest")
        raise
    return _report(session, _together(parts), paths, strict=strict)


def _files(
    session: Session,
    files: Sequence[Path],
    collection: str,
    metadata: Mapping[str, Any],
    *,
    wait: bool,
) -> Sent:
    size = sum(file.stat().st_size for file in files)
    started = session.client.upload(files, collection=collection, metadata=metadata)
    job = watched(session, started, wait=wait)
    if job.state in (JobState.FAILED, JobState.CANCELED):
        raise No(f"job {job.id} {job.state}: {job.detail or 'it was ended'}")
    errors: Iterable[JobError] = job.all_errors() if job.failed else ()
    return Sent(
        found=len(files),
        sent=len(files),
        indexed=job.indexed,
        duplicates=job.duplicates,
        failed=tuple(Failed(path=one.source, code=one.code, detail=one.detail) for one in errors),
        bytes_sent=size,
        jobs=(job.id or "",),
    )


def _of_report(report: UploadReport) -> Sent:
    return Sent.model_validate(asdict(report))


def _together(parts: Sequence[Sent]) -> Sent:
    counts = ("found", "known", "sent", "indexed", "duplicates", "bytes_sent")
    return Sent(
        **{name: sum(getattr(part, name) for part in parts) for name in counts},
        failed=tuple(one for part in parts for one in part.failed),
        jobs=tuple(job for part in parts for job in part.jobs),
    )


def _report(session: Session, sent: Sent, paths: Sequence[Path], *, strict: bool) -> int:
    if not sent.found and not sent.failed:
        raise UsageError(f"there is no picture in {paths[0]}; name files to send others")
    screen = session.screen
    fields = [Field(name, getattr(sent, name)) for name in Sent.model_fields if name != "failed"]
    jobs = ", ".join(sent.jobs)
    screen.one(sent, [*fields[:-1], Field("failed", len(sent.failed)), Field("jobs", jobs)])
    if screen.form is Form.TABLE and sent.failed:
        screen.many(sent.failed[:SHOWN_ERRORS], COLUMNS)
        if len(sent.failed) > SHOWN_ERRORS:
            screen.aside("all of them: lookalike jobs errors, or --json")
    went_well = sent.known + sent.sent > len(sent.failed)
    return Code.NO if sent.failed and (strict or not went_well) else Code.DONE
