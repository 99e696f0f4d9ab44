"""What a dry run found: counted and written on its own list, and nothing else is changed."""

from collections.abc import Iterable, Sequence

from sqlalchemy import Connection, bindparam, select, update

from bento_service.catalogue.jobs.entry_states import no_such_image, still_todo, write_states
from bento_service.catalogue.jobs.records import JobRecord, Outcome, Settled
from bento_service.catalogue.jobs.removals import count_orphans, meant, replaced
from bento_service.catalogue.jobs.results import holders
from bento_service.catalogue.tables import FileAction, FileState, job_files


def settle_checked(
    connection: Connection, job: JobRecord, outcomes: Sequence[Outcome], collection_id: int
) -> Settled:
    """Write what would become of files; each is judged by the collection as it is.

    Args:
        connection: In a writing transaction.
        job: Whose files.
        outcomes: One an entry.
        collection_id: That it would change.
    """
    outcomes = still_todo(connection, outcomes)
    added = [one for one in outcomes if one.file.action is FileAction.ADD]
    deleting = [one for one in outcomes if one.file.action is FileAction.DELETE]
    return _settle_added(connection, job, added, collection_id) + _settle_deleting(
        connection, job, deleting, collection_id
    )


def _settle_added(
    connection: Connection, job: JobRecord, outcomes: Sequence[Outcome], collection_id: int
) -> Settled:
    digests = {one.file.id: sha256 for one in outcomes if (sha256 := _digest(one)) is not None}
    known = holders(connection, collection_id, set(digests.values())).keys()
    seen = set(known) | _found_before(connection, job.number, digests.values())
    states = []
    for one in outcomes:
        sha256 = digests.get(one.file.id)
        if sha256 is None:
            states.append(FileState.FAILED)
        else:
            states.append(FileState.DUPLICATE if sha256 in seen else FileState.DONE)
            seen.add(sha256)
    write_states(connection, outcomes, states)
    _write_digests(connection, digests)
    read = {
        one.file.path: (digests[one.file.id], one.reading)
        for one in outcomes
        if one.file.id in digests
    }
    found = replaced(connection, job, collection_id, read)
    removed = count_orphans(connection, found.changed)
    return Settled.of(states, removed=removed, other_files=len(found.other_files))


def _settle_deleting(
    connection: Connection, job: JobRecord, outcomes: Sequence[Outcome], collection_id: int
) -> Settled:
    wanted = [meant(connection, job, collection_id, one.file) for one in outcomes]
    settled = [
        one if doomed else no_such_image(one) for one, doomed in zip(outcomes, wanted, strict=True)
    ]
    states = [FileState.FAILED if one.code else FileState.DONE for one in settled]
    write_states(connection, settled, states)
    return Settled.of_removals(states, removed=count_orphans(connection, set().union(*wanted)))


def _digest(outcome: Outcome) -> str | None:
    return outcome.checked_sha256 or outcome.known_sha256


def _found_before(connection: Connection, number: int, digests: Iterable[str]) -> set[str]:
    statement = select(job_files.c.sha256).where(
        job_files.c.job_number == number,
        job_files.c.state == FileState.DONE,
        job_files.c.sha256.in_(sorted(digests)),
    )
    return set(connection.execute(statement).scalars())


def _write_digests(connection: Connection, digests: dict[int, str]) -> None:
    if digests:
        connection.execute(
            update(job_files)
            .where(job_files.c.id == bindparam("file"))
            .values(sha256=bindparam("digest")),
            [{"file": file, "digest": digest} for file, digest in digests.items()],
        )
