"""Migrations, which bring the tables to the newest revision."""

from pathlib import Path

from sqlalchemy import Connection, inspect, text

from bento_service.table_revisions import check_revision, newest_revision

_FOLDER = Path(__file__).parent / "migrations"


def migrate(connection: Connection) -> None:
    """Apply the missing migrations, in the connection's transaction."""
    present = present_revision(connection)
    if present == newest_revision():
        return
    check_revision(present)
    # Most starts have nothing to migrate, and Alembic would be a tenth of their imports.
    import alembic.command
    import alembic.config

    config = alembic.config.Config()
    config.set_main_option("script_location", str(_FOLDER).replace("%", "%%"))
    config.attributes["connection"] = connection
    alembic.command.upgrade(config, "head")


def present_revision(connection: Connection) -> str | None:
    """Return the revision of the tables; `None` if there are none."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    revision: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return revision
