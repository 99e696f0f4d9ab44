"""Migrations, which bring the tables to the newest revision."""

from pathlib import Path

from sqlalchemy import Connection, inspect, text

_FOLDER = Path(__file__).parent / "migrations"
_VERSIONS = _FOLDER / "versions"


def migrate(connection: Connection) -> None:
    """Apply the missing migrations, in the connection's transaction."""
    if present_revision(connection) == newest_revision():
        return
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


def newest_revision() -> str:
    """Return the revision that this release works with, which its last migration is named after."""
    return max(file.stem.partition("_")[0] for file in _VERSIONS.glob("[0-9]*.py"))
