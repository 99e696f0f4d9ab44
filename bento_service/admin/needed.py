"""Queries for the uploads that a catalogue needs, which may be a copy of an earlier release."""

from sqlalchemy import Connection, inspect

from bento_service.catalogue.images.lookup import upload_digests
from bento_service.catalogue.jobs.upload_references import select_left, select_manifests
from bento_service.catalogue.states import OPEN_STATES, FileState
from bento_service.catalogue.tables import images, jobs


def needed_uploads(connection: Connection) -> set[str]:
    """Return the digests of the uploads that an undeleted image or an open job needs."""
    return upload_digests(connection, ~images.c.deleted) | queued_uploads(connection)


def queued_uploads(connection: Connection) -> set[str]:
    """Return the digests of the pictures and manifests that open jobs have yet to read."""
    is_open = jobs.c.state.in_(OPEN_STATES)
    digests = set(connection.scalars(select_left(FileState.TODO, is_open)))
    columns = inspect(connection).get_columns(jobs.name)
    if any(column["name"] == jobs.c.manifest.name for column in columns):  # not in early releases
        digests.update(connection.scalars(select_manifests(is_open)))
    return digests
