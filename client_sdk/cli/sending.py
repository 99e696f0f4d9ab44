"""Sending what is on this machine: folders, files and archives, some at a time."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from client_sdk.cli.codes import Code
from client_sdk.cli.commands import Session
from client_sdk.cli.following import ERROR_COLUMNS, bar, report
from client_sdk.cli.jobs import COLUMNS
from client_sdk.cli.screen import Form
from client_sdk.client import Client
from client_sdk.errors import UsageError
from client_sdk.schemas import Job, JobState

SUFFIXES = frozenset(
    (".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif")
)
"""Files with these endings are pictures; what else lies in a folder is left alone."""

_FILES_AT_ONCE = 200
_BYTES_AT_ONCE = 32 * 2**20
_SHOWN_ERRORS = 10


def pictures_in(folder: Path) -> list[Path]:
    """Every picture below a folder, by name; hidden files and folders are left alone.

    Raises:
        OSError: If the folder cannot be listed.
    """
    found = []
    for within, below, names in os.walk(folder, onerror=_refuse):
        below[:] = sorted(name for name in below if not name.startswith("."))
        found += [
            Path(within, name)
            for name in sorted(names)
            if Path(name).suffix.lower() in SUFFIXES and not name.startswith(".")
        ]
    return found


def send(
    client: Client,
    files: Sequence[Path],
    *,
    collection: str,
    metadata: Mapping[str, Any] | None = None,
    on_sent: Callable[[int], object],
) -> list[Job]:
    """Send files to be indexed, some in each request.

    Args:
        client: Whose service gets them.
        files: Pictures and archives.
        collection: Where the images go.
        metadata: Kept with every new image.
        on_sent: Called after each request with how many files went with it.

    Returns:
        The jobs as they were accepted.
    """
    jobs: list[Job] = []
    for batch in _batches(files):
        jobs.append(client.upload(batch, collection=collection, metadata=metadata))
        on_sent(len(batch))
    return jobs


def send_all(
    session: Session,
    paths: Sequence[Path],
    *,
    collection: str,
    metadata: Mapping[str, Any],
    wait: bool,
    strict: bool,
) -> int:
    """Send folders and files, and show what became of them; returns the exit code."""
    files = [file for path in paths for file in (pictures_in(path) if path.is_dir() else [path])]
    if not files:
        raise UsageError(
            f"there is no picture in {paths[0]}; a picture's name ends in one of "
            f"{' '.join(sorted(SUFFIXES))}"
        )
    with bar(session) as progress:
        task = progress.add_task("sending", total=len(files), aside="")
        jobs = send(
            session.client,
            files,
            collection=collection,
            metadata=metadata,
            on_sent=lambda number: progress.advance(task, number),
        )
        if wait:
            progress.reset(task, description="indexing", completed=0)
            jobs = ended(session, jobs, lambda done: progress.update(task, completed=done))
    return _report(session, jobs, strict=strict)


def ended(session: Session, jobs: Sequence[Job], on_progress: Callable[[int], object]) -> list[Job]:
    """The jobs at their ends; Ctrl-C ends the watching alone.

    Args:
        session: The command at work.
        jobs: Jobs that were started.
        on_progress: Called with how many files of all jobs are done.
    """
    last = {job.id: job for job in jobs}
    try:
        for job in jobs:
            for seen in session.client.events(job):
                last[job.id] = seen
                on_progress(sum(one.done for one in last.values()))
    except KeyboardInterrupt:
        open_ones = ", ".join(str(job.id) for job in last.values() if not job.state.is_final)
        session.screen.warn(f"stopped watching; these jobs go on: {open_ones}")
        raise
    return list(last.values())


def _report(session: Session, jobs: Sequence[Job], *, strict: bool) -> int:
    if len(jobs) == 1:
        return report(session, jobs[0], strict=strict)
    screen = session.screen
    if screen.form is not Form.TABLE:
        screen.many(jobs, COLUMNS)
    else:
        screen.say(
            f"{sum(job.indexed for job in jobs)} indexed, "
            f"{sum(job.duplicates for job in jobs)} already known, "
            f"{sum(job.failed for job in jobs)} failed, in {len(jobs)} jobs"
        )
        errors = [error for job in jobs for error in job.errors]
        if errors:
            screen.many(errors[:_SHOWN_ERRORS], ERROR_COLUMNS)
    went_well = sum(job.indexed + job.duplicates for job in jobs)
    failed = sum(job.failed for job in jobs)
    broken = any(job.state in (JobState.FAILED, JobState.CANCELED) for job in jobs)
    return Code.NO if broken or (failed and (strict or not went_well)) else Code.DONE


def _batches(files: Sequence[Path]) -> Iterator[list[Path]]:
    batch: list[Path] = []
    size = 0
    for file in files:
        more = file.stat().st_size
        if batch and (len(batch) == _FILES_AT_ONCE or size + more > _BYTES_AT_ONCE):
            yield batch
            batch, size = [], 0
        batch.append(file)
        size += more
    if batch:
        yield batch


def _refuse(error: OSError) -> None:
    """Without this a folder that may not be listed would count as empty."""
    raise error
