"""The results of a dry run: counted and written on the job's list, without changing images."""

from collections.abc import Iterable, Mapping, Sequence

from sqlalchemy import Connection, bindparam, select, update

from bento_service.catalogue.images.lookup import ids_by_digest
from bento_service.catalogue.jobs.entry_states import still_todo, write_deletions, write_states
from bento_service.catalogue.jobs.records import JobRecord, Outcome, Settled
from bento_service.catalogue.jobs.removals import count_orphans, replaced_sources, sources_to_delete
from bento_service.catalogue.states import FileAction, FileState
from bento_service.catalogue.tables import job_files


def settle_dry_run(
    connection: Connection, job: JobRecord, outcomes: Sequence[Outcome], collection_id: int
) -> Settled:
    """Write which state files would get; each is compared with the collection as it is."""
    outcomes = still_todo(connection, outcomes)
    added = [outcome for outcome in outcomes if outcome.file.action is FileAction.ADD]
    deleting = [outcome for outcome in outcomes if outcome.file.action is FileAction.DELETE]
    return _settle_added(connection, job, added, collection_id) + _settle_deleting(
        connection, job, deleting, collection_id
    )


def _settle_added(
    connection: Connection, job: JobRecord, outcomes: Sequence[Outcome], collection_id: int
) -> Settled:
    digests = {
        outcome.file.id: sha256
        for outcome in outcomes
        if (sha256 := outcome.checked_sha256 or outcome.known_sha256) is not None
    }
    known = ids_by_digest(connection, collection_id, digests.values()).keys()
    seen = set(known) | _done_before(connection, job.number, digests.values())
    states = []
    for outcome in outcomes:
        sha256 = digests.get(outcome.file.id)
        if sha256 is None:
            states.append(FileState.FAILED)
        else:
            states.append(FileState.DUPLICATE if sha256 in seen else FileState.DONE)
            seen.add(sha256)
    write_states(connection, outcomes, states)
    _write_digests(connection, digests)
    read = {
        outcome.file.path: (digests[outcome.file.id], outcome.reading)
        for outcome in outcomes
        if outcome.file.id in digests
    }
    replaced = replaced_sources(connection, job, collection_id, read)
    removed = count_orphans(connection, replaced.changed)
    return Settled.of(states, removed=removed, other_files=len(replaced.other_files))


def _settle_deleting(
    connection: Connection, job: JobRecord, outcomes: Sequence[Outcome], collection_id: int
) -> Settled:
    source_ids = [
        sources_to_delete(connection, job, collection_id, outcome.file) for outcome in outcomes
    ]
    states = write_deletions(connection, outcomes, had_sources=list(map(bool, source_ids)))
    return Settled.of_removals(states, removed=count_orphans(connection, set().union(*source_ids)))


def _done_before(connection: Connection, number: int, digests: Iterable[str]) -> set[str]:
    statement = select(job_files.c.sha256).where(
        job_files.c.job_number == number,
        job_files.c.state == FileState.DONE,
        job_files.c.sha256.in_(sorted(digests)),
    )
    return set(connection.execute(statement).scalars())


def _write_digests(connection: Connection, digests: Mapping[int, str]) -> None:
    if digests:
        connection.execute(
            update(job_files)
            .where(job_files.c.id == bindparam("file"))
            .values(sha256=bindparam("digest")),
            [{"file": file, "digest": digest} for file, digest in digests.items()],
        )
