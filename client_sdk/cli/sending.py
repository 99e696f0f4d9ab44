"""`lookalike train --upload`: sends files of this machine."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from client_sdk._calls.options import FolderKeywords
from client_sdk._folder.plan import steps
from client_sdk._folder.report import Tally, UploadReport
from client_sdk._sync.handles import JobHandle
from client_sdk.cli.codes import Code
from client_sdk.cli.commands import NegativeAnswer, Session
from client_sdk.cli.following import show_failed, watched
from client_sdk.cli.screen import Field
from client_sdk.errors import JobFailed, UsageError
from client_sdk.schemas import JobState

_FILES_AT_ONCE = 100


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
    total = Tally()
    try:
        for folder in [path for path in paths if path.is_dir()]:
            total.add(**dict(session.client.upload_folder(folder, **keywords)))
        for files in steps([path for path in paths if not path.is_dir()], _FILES_AT_ONCE):
            size = sum(file.stat().st_size for file in files)
            job = session.client.upload(files, collection=collection, metadata=metadata)
            ended = watched(session, job, wait=wait)
            total.add(found=len(files), sent=len(files), bytes_sent=size, jobs=(job.id or "",))
            _add(ended, total)
    except KeyboardInterrupt:
        session.screen.warn("stopped; the same command continues with the rest")
        raise
    return _report(session, total.report, paths, wait=wait, strict=strict)


def _add(job: JobHandle, total: Tally) -> None:
    """Add the outcome of a job to the counts; raise if it ended early."""
    if job.state in (JobState.FAILED, JobState.CANCELED):
        raise NegativeAnswer(str(JobFailed(job)))
    total.done(job, job.all_errors() if job.failed else ())


def _shown(value: object) -> object:
    """Return a field of a report for a line: its number of files, or its jobs."""
    if not isinstance(value, tuple):
        return value
    items = cast("tuple[object, ...]", value)
    is_jobs = all(isinstance(one, str) for one in items)
    return ", ".join(map(str, items)) if items and is_jobs else len(items)


def _report(
    session: Session, sent: UploadReport, paths: Sequence[Path], *, wait: bool, strict: bool
) -> int:
    screen = session.screen
    for reason, number in Counter(one.detail for one in sent.left_out).items():
        first = next(one.source for one in sent.left_out if one.detail == reason)
        screen.warn(f"left out: {number}, such as {first}: {reason}")
    if not sent.found and not sent.failed:
        raise UsageError(f"there is no picture file in {paths[0]}; name each file of another kind")
    fields = [Field(name, _shown(getattr(sent, name))) for name in UploadReport.model_fields]
    screen.one(sent, fields)
    show_failed(screen, sent.failed, len(sent.failed), "--json")
    return Code.NO if sent.failed and (strict or _all_failed(sent, wait=wait)) else Code.DONE


def _all_failed(sent: UploadReport, *, wait: bool) -> bool:
    """Return True if no file is in the collection or, without `wait`, may still come into it."""
    if wait:  # an archive is one file that was sent, but several of its members can fail
        return not sent.known + sent.indexed + sent.duplicates
    return sent.known + sent.sent <= len(sent.failed)
