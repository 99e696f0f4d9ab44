"""Brings the tables to the newest revision."""

from pathlib import Path

from sqlalchemy import Connection, inspect, text

_FOLDER = Path(__file__).parent / "migrations"
_VERSIONS = _FOLDER / "versions"


def migrate(connection: Connection) -> None:
    """Apply the revisions that the tables lack, in the connection's transaction."""
    if present_revision(connection) == newest_revision():
        return
    # Most starts have nothing to migrate, and Alembic is a tenth of all that they would load.
    import alembic.command
    import alembic.config

    config = alembic.config.Config()
    config.set_main_option("script_location", str(_FOLDER).replace("%", "%%"))
    config.attributes["connection"] = connection
    alembic.command.upgrade(config, "head")


def present_revision(connection: Connection) -> str | None:
    """The revision of the tables; `None` where there are none."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    revision: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return revision


def newest_revision() -> str:
    """The revision that this release works with: files are named by number, the last is newest."""
    return max(file.stem.partition("_")[0] for file in _VERSIONS.glob("[0-9]*.py"))
