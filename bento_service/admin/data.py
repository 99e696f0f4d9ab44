"""A service's data folder, as the operator's commands find and open it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import make_url

from bento_service.admin.answer import Refusal
from bento_service.catalogue import Catalogue
from bento_service.catalogue.database import Database
from bento_service.catalogue.migration import newest_revision, present_revision
from bento_service.catalogue.records import CollectionRecord
from bento_service.errors import Conflict
from bento_service.settings import Settings
from bento_service.storage.data_folder import sole_user


def sqlite_file(settings: Settings) -> Path | None:
    """The catalogue's file; `None` where it is in another database."""
    url = make_url(settings.catalogue)
    if url.get_backend_name() != "sqlite" or not url.database:
        return None
    return Path(url.database)


@contextmanager
def opened_catalogue(settings: Settings) -> Iterator[Catalogue]:
    """The catalogue, as it is: nothing is made and nothing is migrated.

    Raises:
        Refusal: There is none, or another release wrote it.
    """
    file = sqlite_file(settings)
    if file is not None and not file.is_file():
        raise Refusal(
            f"there is no catalogue at {file}; set LOOKALIKE_DATA_DIR to the service's data folder"
        )
    with Database(settings.catalogue) as database, database.reading() as connection:
        present = present_revision(connection)
    if present != newest_revision():
        raise Refusal(
            f"the catalogue's tables are at revision {present}, this release works with "
            f"{newest_revision()}; start the service once, which brings older ones up to date"
        )
    with Catalogue.open(settings.catalogue) as catalogue:
        yield catalogue


@contextmanager
def service_stopped(settings: Settings, *, instead: str = "") -> Iterator[None]:
    """Hold the data folder, so that no service can use it meanwhile.

    Args:
        settings: Whose data folder.
        instead: What can be done while the service runs, for the message.

    Raises:
        Refusal: A service runs, or another of these commands.
    """
    if not settings.data_dir.is_dir():
        raise Refusal(f"there is no data folder {settings.data_dir}; set LOOKALIKE_DATA_DIR")
    with alone(
        settings.data_dir,
        f"a service or another command uses {settings.data_dir}; stop the service{instead}",
    ):
        yield


@contextmanager
def alone(folder: Path, refusal: str) -> Iterator[None]:
    """Hold a folder's lock.

    Raises:
        Refusal: Another process holds it.
    """
    holding = sole_user(folder)
    try:
        holding.__enter__()
    except Conflict as error:
        raise Refusal(refusal) from error
    try:
        yield
    finally:
        holding.__exit__(None, None, None)


def chosen(catalogue: Catalogue, name: str | None) -> list[CollectionRecord]:
    """The collection of that name, or all of them.

    Raises:
        CollectionNotFound: There is none of that name.
    """
    return catalogue.collections.all() if name is None else [catalogue.collections.named(name)]


def size_on_disk(path: Path) -> int:
    """Bytes of a file, or of all files below a folder; 0 for what is not there."""
    if path.is_dir():
        return sum(size_on_disk(below) for below in path.iterdir())
    return path.stat().st_size if path.is_file() else 0
