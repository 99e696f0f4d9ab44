"""The models of pages of lists, and of the image roots.

The client reads a page by the list and the `next_cursor` alone.
"""

from client_sdk.schemas import Collection, Image, Job, JobError
from client_sdk.schemas.answer import Answer
from client_sdk.schemas.compare import DuplicateGroup, Lines


class ImageList(Answer):
    """One page of images. `next_cursor` is `None` on the last page."""

    images: tuple[Image, ...]
    next_cursor: str | None = None


class JobList(Answer):
    """One page of jobs, newest first. `next_cursor` is `None` on the last page."""

    jobs: tuple[Job, ...]
    next_cursor: str | None = None


class JobErrorList(Answer):
    """One page of the failed files of a job, in the order in which the job read them."""

    errors: tuple[JobError, ...]
    next_cursor: str | None = None


class CollectionList(Answer):
    """All collections, sorted by name."""

    collections: tuple[Collection, ...]


class DuplicateGroups(Answer):
    """One page of groups of duplicates, sorted by the smallest id of each.

    The service limits the time of one page, so a page may have fewer groups than requested, or
    none. Only the last page has the `next_cursor` `None`.

    Attributes:
        examined: The number of images that the service examined for this page.
    """

    collection: str
    model: str
    descriptor: str
    fingerprint: str
    min_score: float | None
    lines: Lines
    groups: tuple[DuplicateGroup, ...]
    examined: int
    next_cursor: str | None = None


class Root(Answer):
    """An image root. `available` is false while its folder cannot be read or is empty."""

    name: str
    available: bool


class RootList(Answer):
    """The image roots of the service."""

    roots: tuple[Root, ...]


class Folder(Answer):
    """A folder below an image root."""

    name: str


class FolderEntries(Answer):
    """One page of the entries of a folder that may be indexed.

    Attributes:
        path: The path of the folder relative to its root; empty for the root itself.
        folders: The folders in it, sorted by name, without symbolic links.
        files: The number of regular files directly in it.
    """

    path: str
    folders: tuple[Folder, ...]
    files: int
    next_cursor: str | None = None
