"""Entries of folders and archives that a job does not look at, counted by reason."""

from collections.abc import Iterator
from enum import StrEnum

from bento_service.catalogue.jobs.records import SkippedRecord

MAX_DEPTH = 100
"""The number of folders, one in another, that a walk enters."""


class Skip(StrEnum):
    """The reason why an entry is skipped, as its code in the contract."""

    LINK = "link"
    CLUTTER = "clutter"
    SPECIAL = "special"
    UNREADABLE = "unreadable"
    TOO_DEEP = "too_deep"

    @property
    def detail(self) -> str:
        """The reason as a sentence."""
        return _DETAILS[self]


_DETAILS = {
    Skip.LINK: "symbolic links are not followed; `follow_links` follows those that stay under the "
    "image root",
    Skip.CLUTTER: "files of systems and programs, such as Thumbs.db and ._IMG_1.jpg",
    Skip.SPECIAL: "pipes, sockets and devices are not read, nor objects whose keys are no paths",
    Skip.UNREADABLE: "they could not be opened; check their permissions and the service's limit of "
    "open files, and train again",
    Skip.TOO_DEEP: f"folders are walked {MAX_DEPTH} deep; train the deeper ones by themselves",
}


class Skips:
    """The skipped entries of one job."""

    def __init__(self) -> None:
        self._first: dict[Skip, str] = {}
        self._counts: dict[Skip, int] = {}

    def add(self, reason: Skip, path: str) -> None:
        """Count an entry."""
        self._first.setdefault(reason, path)
        self._counts[reason] = self._counts.get(reason, 0) + 1

    def __iter__(self) -> Iterator[SkippedRecord]:
        """Yield the count of each reason, in the order of the first entries."""
        for reason, path in self._first.items():
            yield SkippedRecord(reason, self._counts[reason], path)
