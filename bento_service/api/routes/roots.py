"""The image roots and the folders below them, for choosing what to index."""

from bisect import bisect_right
from os import fsencode

from fastapi import APIRouter

from bento_service.api import wire
from bento_service.api.auth.access import TRAIN
from bento_service.api.http.bodies import App
from bento_service.api.http.paging import Limit, decoded_cursor, encoded_cursor, foreign_cursor
from bento_service.api.pages import Folder, FolderEntries, Root, RootList

router = APIRouter(prefix="/api/v2/roots")


@router.get("", dependencies=[TRAIN])
def roots(app: App) -> RootList:
    """List the image roots."""
    return RootList(
        roots=tuple(
            Root(name=name, available=app.roots.unavailable(name) is None)
            for name in app.roots.names
        )
    )


@router.get("/{root}/entries", dependencies=[TRAIN])
def entries(
    app: App, root: str, path: str = "", limit: Limit = 1000, cursor: str | None = None
) -> FolderEntries:
    """List the folders in a folder of an image root, and count its files."""
    located = app.roots.locate(path.lstrip("/"), root)
    folders, files = app.roots.entries(located)
    first = 0 if cursor is None else bisect_right(folders, _name(cursor), key=fsencode)
    shown = folders[first : first + limit]
    return FolderEntries(
        path=wire.printable(located.path),
        folders=tuple(Folder(name=wire.printable(name)) for name in shown),
        files=files,
        next_cursor=encoded_cursor(shown[-1]) if first + limit < len(folders) else None,
    )


def _name(cursor: str) -> bytes:
    """Return the name of the last folder of a page."""
    (last,) = decoded_cursor(cursor, str)
    try:
        return fsencode(last)
    except UnicodeEncodeError as error:
        raise foreign_cursor() from error
