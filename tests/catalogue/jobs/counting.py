"""Counters of jobs."""

from bento_service.catalogue.jobs.records import Outcome


def counted(job):
    return (job.total, job.done, job.indexed, job.duplicates, job.failed)


def failed(file, code="image_unreadable"):
    return Outcome(file, code=code, detail="why")
