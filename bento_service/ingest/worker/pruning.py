"""Removal of images whose files are gone; images of a disk that is not mounted stay."""

import threading

from bento_service.catalogue import Catalogue
from bento_service.catalogue.jobs.pruning import Missed
from bento_service.catalogue.jobs.records import JobRecord
from bento_service.storage.ignore_patterns import Ignored
from bento_service.storage.image_roots import ImageRoots
from bento_service.storage.root import Presence

_NOTHING_FOUND = (
    "nothing was removed, because no file was found there: a folder without files may be a disk "
    "that is not mounted. If it is empty indeed, delete its images by POST /api/v2/delete"
)


def prune(
    catalogue: Catalogue, roots: ImageRoots, job: JobRecord, unwanted: threading.Event
) -> None:
    """Remove the sources below a walked job's folder whose files are gone, and end the job.

    Every source that the walk did not list is looked up again. It is removed only if its file is
    certainly missing. Sources that the job ignores or did not walk stay. `unwanted` is set when the
    job has been closed in the meantime. Raise `LookalikeError` if the folder is gone.
    """
    if _finds_nothing(roots, job):
        catalogue.pruning.finish(job, removed=0, detail=_NOTHING_FOUND)
        return
    scope = _Scope(job)
    removed = uncertain = after = 0
    while missed := catalogue.pruning.missed(job, after=after):
        if unwanted.is_set():
            return
        inside = [source for source in missed if source in scope]
        states = roots.presences(job.root, inside)
        gone = {
            source.source_id
            for source, state in zip(inside, states, strict=True)
            if state is Presence.GONE
        }
        uncertain += states.count(Presence.UNCERTAIN)
        removed += catalogue.pruning.remove(job, gone)
        after = missed[-1].image_id
    catalogue.pruning.finish(job, removed=removed, detail=_kept(uncertain))


def _finds_nothing(roots: ImageRoots, job: JobRecord) -> bool:
    """Return true if a job's folder holds no file."""
    if job.retry_of is None:
        return job.total == 0
    # A retry's list has only the unfinished files of an earlier job, which may be long ago.
    located = roots.locate(job.path or ".", job.root)
    files = roots.walk(
        located, recursive=job.recursive, ignore=job.ignore, follow_links=job.follow_links
    )
    return next(iter(files), None) is None


class _Scope:
    """The paths that a job walks."""

    def __init__(self, job: JobRecord) -> None:
        self._prefix = f"{job.path}/" if job.path else ""
        self._recursive = job.recursive
        self._ignored = Ignored(job.ignore)

    def __contains__(self, missed: Missed) -> bool:
        below = missed.path.removeprefix(self._prefix)
        is_walked = self._recursive or "/" not in below
        return is_walked and not self._ignored.file(below)


def _kept(uncertain: int) -> str | None:
    if not uncertain:
        return None
    return (
        f"{uncertain} files are not where they were, but their images were kept: their folder "
        "cannot be read, or is there and empty, as that of a disk is that is not mounted, or is "
        "another folder, as of another disk in the same place. Mount the disk, or remove the empty "
        "folder, and train again; or delete the images"
    )
