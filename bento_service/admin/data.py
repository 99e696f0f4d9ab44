"""Access of the operator's commands to a service's data folder."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from sqlalchemy import make_url

from bento_service.admin.answer import Refusal
from bento_service.catalogue import Catalogue
from bento_service.catalogue.database import Database
from bento_service.catalogue.migration import present_revision
from bento_service.catalogue.records import CollectionRecord
from bento_service.errors import Conflict
from bento_service.replicas.replica import Replica
from bento_service.settings import Settings
from bento_service.storage.data_folder import sole_user
from bento_service.table_revisions import check_revision, newest_revision


def sqlite_file(settings: Settings) -> Path | None:
    """Return the catalogue's file, `None` for another database."""
    url = make_url(settings.catalogue)
    if url.get_backend_name() != "sqlite" or not url.database:
        return None
    return Path(url.database)


@contextmanager
def opened_catalogue(settings: Settings, *, create: bool = False) -> Iterator[Catalogue]:
    """Open the catalogue without migrating it, and create a missing one if `create` is set."""
    file, present = sqlite_file(settings), None
    if file is None or file.is_file():
        with Database(settings.catalogue) as database, database.reading() as connection:
            present = present_revision(connection)
    elif not create:
        raise Refusal(
            f"there is no catalogue at {file}; set LOOKALIKE_DATA_DIR to the service's data folder"
        )
    check_revision(present)
    if present != newest_revision() and not (create and present is None):
        raise Refusal(
            f"the catalogue's tables are at revision {present}, this release needs "
            f"{newest_revision()}; start the service once, which migrates older ones"
        )
    with Catalogue.open(settings.catalogue) as catalogue:
        yield catalogue


@contextmanager
def service_stopped(settings: Settings, *, instead: str = "") -> Iterator[None]:
    """Lock the data folder, so that no service can use it meanwhile.

    With PostgreSQL, also be the owner of the indexes meanwhile. The message names what can be done
    `instead` while the service runs.
    """
    if not settings.data_dir.is_dir():
        raise Refusal(f"there is no data folder {settings.data_dir}; set LOOKALIKE_DATA_DIR")
    refusal = f"a service or another command uses {settings.data_dir}; stop the service{instead}"
    with locked(settings.data_dir, refusal):
        if sqlite_file(settings) is not None:
            yield
            return
        with opened_catalogue(settings) as catalogue, Replica(catalogue) as replica:
            if not replica.is_owner():
                raise Refusal(f"a service uses the catalogue; stop all its replicas{instead}")
            yield


@contextmanager
def locked(folder: Path, refusal: str) -> Iterator[None]:
    """Lock a folder; `refusal` says what to do if another process has locked it."""
    with ExitStack() as stack:
        try:
            stack.enter_context(sole_user(folder))
        except Conflict as error:
            raise Refusal(refusal) from error
        yield


def chosen(catalogue: Catalogue, name: str | None) -> list[CollectionRecord]:
    """Return one collection, or all of them without a name."""
    return catalogue.collections.all() if name is None else [catalogue.collections.named(name)]


def size_on_disk(path: Path) -> int:
    """Return the bytes of a file or of all files below a folder; 0 for a missing path."""
    if path.is_dir():
        return sum(size_on_disk(below) for below in path.iterdir())
    return path.stat().st_size if path.is_file() else 0
