"""Checks that a service has all that it acknowledged, and nothing else."""

import random
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Sequence
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Any

import httpx

from client_sdk import Client, IndexUnavailable, JobNotFound, LookalikeError
from client_sdk.schemas import Hit, JobState
from tests.chaos.ledger import Fault, Finding, Ledger
from tests.chaos.load import found_wrongly
from tests.chaos.reins import Reins

READY_SECONDS = 180.0
_JOBS_SECONDS = 180.0
_APPLIED_SECONDS = 90.0
_POLL_SECONDS = 0.05
_NEWEST_JOBS = 150
_SEARCHES = 2


def look_at_all(
    url: str, ledgers: Sequence[Ledger], reins: Reins, random_: random.Random
) -> list[Finding]:
    """Wait until a started service is ready and has nothing left to do, and compare everything."""
    with Client(url, timeout=60, transport=httpx.HTTPTransport(verify=False)) as client:
        try:
            client.wait_ready(timeout=READY_SECONDS, interval=0.05)
        except LookalikeError as error:
            return [Finding(Fault.UNFINISHED, f"it is not ready: {error}")]
        findings = _jobs_end(client, ledgers)
        names = {one.name for one in client.collections()}
        for ledger in ledgers:
            findings += _look_at(client, ledger, names, random_)
    return findings + _sides(reins)


def _jobs_end(client: Client, ledgers: Sequence[Ledger]) -> list[Finding]:
    findings: list[Finding] = []
    deadline = time.monotonic() + _JOBS_SECONDS
    while True:
        left = [job for job in islice(client.jobs(), _NEWEST_JOBS) if not job.state.is_final]
        # After the list: a job that is not in it has ended, and its end is recorded here.
        for ledger in ledgers:
            findings += _progress(client, ledger)
        if not left:
            return findings
        if time.monotonic() > deadline:
            return [*findings, *(Finding(Fault.UNFINISHED, f"job {job}") for job in left)]
        time.sleep(_POLL_SECONDS)


def _progress(client: Client, ledger: Ledger) -> list[Finding]:
    """Record the progress of a collection's jobs; forget those that completed."""
    findings: list[Finding] = []
    for job_id, known in list(ledger.jobs.items()):
        if known.state is JobState.COMPLETED:
            del ledger.jobs[job_id]
            continue
        try:
            job = client.job(job_id)
        except JobNotFound:
            findings.append(Finding(Fault.LOST, f"{ledger.collection}: job {known} is gone"))
            del ledger.jobs[job_id]
            continue
        findings += ledger.progressed(job)
        if job.state is JobState.FAILED and ledger.exists == {True}:
            findings.append(Finding(Fault.LOST, f"{ledger.collection}: {job}"))
        if job.state.is_final:
            del ledger.jobs[job_id]
    return findings


def _look_at(
    client: Client, ledger: Ledger, names: set[str], random_: random.Random
) -> list[Finding]:
    name = ledger.collection
    if (name in names) not in ledger.exists:
        there = "is not there" if name not in names else "is there again"
        return [Finding(Fault.LOST if name not in names else Fault.GHOST, f"{name} {there}")]
    if name not in names:
        ledger.gone()
        return []
    ledger.exists = frozenset({True})
    images = list(client.images(collection=name, page_size=1000))
    findings = ledger.compared(images, final=True)
    if (count := client.count(collection=name)) != len(images):
        findings.append(Finding(Fault.LOST, f"{name}: count says {count}, it lists {len(images)}"))
    ids = sorted(ledger.ids())
    for image_id in random_.sample(ids, min(len(ids), _SEARCHES)):
        try:
            hits = _hits(client, name, image_id)
        except IndexUnavailable as error:
            return [*findings, Finding(Fault.UNFINISHED, f"{name}: {error}")]
        findings += found_wrongly(ledger, {hit.image_id for hit in hits})
        if not any(hit.image_id == image_id and hit.score > 0.999 for hit in hits):
            findings.append(Finding(Fault.LOST, f"{name}: {image_id} does not find itself"))
        if len({hit.image_id for hit in hits}) != len(hits):
            findings.append(Finding(Fault.DUPLICATE, f"{name}: a search has an id twice"))
    return findings


def _hits(client: Client, name: str, image_id: int) -> tuple[Hit, ...]:
    """Return the hits of an image; retry while a restarted Milvus server loads its collections."""
    deadline = time.monotonic() + _APPLIED_SECONDS
    while True:
        try:
            return client.search(image_id, collection=name, top_k=1000).hits
        except IndexUnavailable:
            if time.monotonic() > deadline:
                raise
            time.sleep(_POLL_SECONDS)


def _sides(reins: Reins) -> list[Finding]:
    """Compare each index with the catalogue's ids once it has caught up."""
    deadline = time.monotonic() + _APPLIED_SECONDS
    while True:
        indexes = reins.indexes()
        findings = [finding for index in indexes for finding in _differs(index)]
        if indexes and not findings:
            return []
        if time.monotonic() > deadline:
            return findings or [Finding(Fault.UNFINISHED, "nobody says what the index holds")]
        time.sleep(_POLL_SECONDS)


def _differs(index: dict[str, Any]) -> list[Finding]:
    living, held = set(index["living"]), set(index["held"])
    whose = f"index {index['name']} of {index['collection']}"
    findings = []
    if not index["open"] or index["behind"]:
        findings.append(Finding(Fault.UNFINISHED, f"{whose} is {index['behind']} changes behind"))
    if lacking := living - held:
        findings.append(Finding(Fault.DIFFERENT, f"{whose} lacks {sorted(lacking)}"))
    if unknown := held - living:
        findings.append(Finding(Fault.DIFFERENT, f"{whose} has {sorted(unknown)} too many"))
    return findings


def look_at_catalogue(catalogue: Path, ledgers: Sequence[Ledger]) -> list[Finding]:
    """Look at a copy of a dead service's SQLite catalogue, since opening it would heal it."""
    with tempfile.TemporaryDirectory() as folder:
        for path in catalogue.parent.glob(f"{catalogue.name}*"):
            shutil.copy(path, folder)
        with closing(sqlite3.connect(Path(folder) / catalogue.name)) as connection:
            (verdict,) = connection.execute("PRAGMA quick_check").fetchone()
            if not connection.execute(
                "SELECT 1 FROM sqlite_master WHERE name = 'images'"
            ).fetchone():
                return []  # killed before its first tables
            living = {
                row[0] for row in connection.execute("SELECT id FROM images WHERE NOT deleted")
            }
    findings = [] if verdict == "ok" else [Finding(Fault.LOST, f"the catalogue: {verdict}")]
    for ledger in ledgers:
        if ledger.exists == {True} and (lost := ledger.ids() - living):
            findings.append(
                Finding(Fault.LOST, f"{ledger.collection}: {lost} are not in the catalogue")
            )
        if ghosts := ledger.dead & living:
            findings.append(Finding(Fault.GHOST, f"{ledger.collection}: {ghosts} live again"))
    return findings
