"""The states of the entries of a job's list."""

from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import Connection, bindparam, select, update

from bento_service.catalogue.jobs.records import Outcome
from bento_service.catalogue.states import FileState
from bento_service.catalogue.tables import job_files
from bento_service.errors import ImageNotFound


def still_todo(connection: Connection, outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Return the outcomes of entries that are still to do, in the order of the job's list."""
    statement = select(job_files.c.id).where(
        job_files.c.id.in_([outcome.file.id for outcome in outcomes]),
        job_files.c.state == FileState.TODO,
    )
    todo = set(connection.execute(statement).scalars())
    left = [outcome for outcome in outcomes if outcome.file.id in todo]
    return sorted(left, key=lambda outcome: outcome.file.id)


def write_states(
    connection: Connection, outcomes: Sequence[Outcome], states: Sequence[FileState]
) -> None:
    """Write the states of entries; end the leases of those that are still to do."""
    changed, left = [], []
    for outcome, state in zip(outcomes, states, strict=True):
        file, code, detail = outcome.file.id, outcome.code, outcome.detail
        if state is FileState.TODO:
            left.append(file)
        else:
            changed.append({"file": file, "state": state, "code": code, "detail": detail})
    if changed:
        connection.execute(
            update(job_files)
            .where(job_files.c.id == bindparam("file"))
            .values(state=bindparam("state"), code=bindparam("code"), detail=bindparam("detail")),
            changed,
        )
    if left:
        own = job_files.c.id.in_(left)
        connection.execute(update(job_files).where(own).values(leased_by=None))


def write_deletions(
    connection: Connection, outcomes: Sequence[Outcome], *, had_sources: Sequence[bool]
) -> list[FileState]:
    """Write the states of entries that delete, and return them; those without sources fail."""
    error = ImageNotFound("the collection has no such image; it may have been deleted before")
    settled = [
        outcome if had else replace(outcome, code=error.code, detail=str(error))
        for outcome, had in zip(outcomes, had_sources, strict=True)
    ]
    states = [FileState.FAILED if outcome.code else FileState.DONE for outcome in settled]
    write_states(connection, settled, states)
    return states
