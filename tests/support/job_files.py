"""The files of a job's list, as the worker of a single replica would lease them."""

from dataclasses import fields

from sqlalchemy import select

from bento_service.catalogue import Catalogue
from bento_service.catalogue.jobs.records import FileRecord, JobRecord
from bento_service.catalogue.jobs.rows import is_open
from bento_service.catalogue.states import FileAction, FileState
from bento_service.catalogue.tables import job_files, jobs

COLUMNS = [job_files.c[field.name] for field in fields(FileRecord)]


def todo(catalogue: Catalogue, job: JobRecord, *, limit: int = 10**6) -> list[FileRecord]:
    """Return the first files of an open job that are still to do, in the order of its list."""
    statement = (
        select(*COLUMNS)
        .join(jobs, jobs.c.number == job_files.c.job_number)
        .where(is_open(job.number), job_files.c.state == FileState.TODO)
        .order_by(job_files.c.id)
        .limit(limit)
    )
    return [
        FileRecord(**{**row._mapping, "action": FileAction(row.action)})
        for row in catalogue.database.rows(statement)
    ]
