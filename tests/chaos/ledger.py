"""The answers that a client got, and what they allow it to expect of a collection.

An answer makes things sure. A call that was cut off leaves them unsure: either outcome is right,
and the next look tells which. Everything that contradicts what was acknowledged is a fault.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from client_sdk.schemas import Image, Job, JobState


class Fault(StrEnum):
    """A state or answer that contradicts an acknowledgement."""

    LOST = "lost"
    GHOST = "ghosts"
    DUPLICATE = "duplicates"
    BACKWARDS = "backwards"
    UNFINISHED = "unfinished"
    DIFFERENT = "differences"
    REFUSED = "refused"


@dataclass(frozen=True)
class Finding:
    """One fault, with what was seen."""

    fault: Fault
    detail: str


@dataclass
class Picture:
    """The known state of a picture in a collection.

    Attributes:
        here: The outcomes that are possible: it is there, it is not.
        metadata: What its metadata may be.
        image_id: Its id, once that was seen.
        job: The open job that brings it.
        pending_metadata: The metadata that an open job gives it if it is deleted before the
            job comes to it.
    """

    seed: int
    here: frozenset[bool] = frozenset({False})
    metadata: tuple[dict[str, Any], ...] = ()
    image_id: int | None = None
    job: str | None = None
    pending_metadata: dict[str, Any] | None = None

    @property
    def is_here(self) -> bool:
        return self.here == {True} and self.job is None and self.image_id is not None

    @property
    def is_gone(self) -> bool:
        return self.here == {False}


EITHER = frozenset({True, False})
_PLACE = {JobState.PENDING: 0, JobState.IN_PROGRESS: 1}


@dataclass
class Ledger:
    """The known state of a collection.

    Attributes:
        pictures: By digest.
        dead: Ids that were deleted, which nobody may ever see again.
        jobs: As they were last seen, by id.
        exists: Whether the collection may be there, and may not.
    """

    collection: str
    pictures: dict[str, Picture] = field(default_factory=dict)
    dead: set[int] = field(default_factory=set)
    jobs: dict[str, Job] = field(default_factory=dict)
    exists: frozenset[bool] = frozenset({True})

    def bringing(self, digests: Iterable[str], metadata: dict[str, Any]) -> None:
        """Note a sent train: absent pictures may be added, and the collection with them."""
        self.exists |= {True}
        for digest in digests:
            picture = self.pictures[digest]
            if picture.is_gone:
                picture.metadata = (metadata,)
            else:
                picture.pending_metadata = metadata
            picture.here |= {True}

    def brought(self, digests: Iterable[str], job: Job) -> None:
        """Note an accepted train: its pictures will be added."""
        assert job.id is not None
        self.jobs[job.id] = job
        self.exists = frozenset({True})
        for digest in digests:
            self.pictures[digest].here = frozenset({True})
            self.pictures[digest].job = job.id
        self.progressed(job)  # on a busy machine it is completed before it is answered

    def removing(self, digests: Iterable[str]) -> None:
        """Note a sent deletion; an open job may add pictures after it."""
        for digest in digests:
            picture = self.pictures[digest]
            picture.here |= {False}
            if picture.pending_metadata is not None:
                picture.metadata += (picture.pending_metadata,)

    def removed(self, digests: Iterable[str]) -> None:
        """Note an acknowledged deletion."""
        for digest in digests:
            picture = self.pictures[digest]
            if picture.job is None:
                self._bury(picture)
            elif picture.image_id is not None:
                self.dead.add(picture.image_id)
                picture.image_id = None

    def _bury(self, picture: Picture) -> None:
        if picture.image_id is not None:
            self.dead.add(picture.image_id)
        picture.here, picture.metadata = frozenset({False}), ()
        picture.image_id = picture.job = picture.pending_metadata = None

    def progressed(self, job: Job) -> list[Finding]:
        """Note the state of a job, and return the counters that went back."""
        assert job.id is not None
        before = self.jobs.get(job.id)
        self.jobs[job.id] = job
        if job.state is JobState.COMPLETED:
            for picture in self.pictures.values():
                if picture.job == job.id:
                    picture.job = None
                    if picture.here == {True}:  # else it may have been deleted and brought again
                        picture.pending_metadata = None
        return _backwards(before, job) if before is not None else []

    def compared(self, images: Iterable[Image], *, final: bool) -> list[Finding]:
        """Compare with what the service lists, and learn from it what was unsure.

        Args:
            images: All images of the collection.
            final: Whether every job has ended.
        """
        found = list(images)
        findings = [finding for image in found for finding in self._seen(image)]
        digests = Counter(image.sha256 for image in found)
        for digest, times in digests.items():
            if times > 1:
                findings.append(self._finding(Fault.DUPLICATE, f"{digest[:8]} is {times} times"))
        for digest, picture in self.pictures.items():
            if digest in digests or (picture.job is not None and not final):
                continue
            if picture.here == {True}:
                findings.append(self._finding(Fault.LOST, f"picture {picture.seed} {picture}"))
            if final or picture.job is None:
                self._bury(picture)
        return findings

    def _seen(self, image: Image) -> list[Finding]:
        picture = self.pictures.get(image.sha256)
        if image.id in self.dead:
            return [self._finding(Fault.GHOST, f"deleted image {image.id} is back")]
        if picture is None or picture.is_gone:
            return [self._finding(Fault.GHOST, f"image {image.id} should not be: {picture}")]
        findings = []
        if (
            picture.here == EITHER
            and picture.pending_metadata is not None
            and picture.image_id is not None
        ):
            self.dead.add(picture.image_id)  # deleted, and brought again
            self.dead.discard(image.id)
        elif picture.image_id not in (None, image.id):
            detail = f"picture {picture.seed} was {picture.image_id} and is {image.id}"
            findings.append(self._finding(Fault.LOST, detail))
        if image.metadata not in picture.metadata:
            detail = f"image {image.id} has {image.metadata}, not {picture.metadata}"
            findings.append(self._finding(Fault.LOST, detail))
        picture.image_id, picture.metadata = image.id, (image.metadata,)
        if picture.job is None:
            picture.here = frozenset({True})
            picture.pending_metadata = None
        return findings

    def _finding(self, fault: Fault, detail: str) -> Finding:
        return Finding(fault, f"{self.collection}: {detail}")

    def ids(self) -> set[int]:
        """Return the ids of images that are certainly there."""
        return {one.image_id for one in self.pictures.values() if one.is_here and one.image_id}

    def gone(self) -> None:
        """Note that the collection was deleted."""
        for picture in self.pictures.values():
            self._bury(picture)
        self.jobs.clear()
        self.exists = frozenset({False})


def _backwards(before: Job, after: Job) -> list[Finding]:
    """Return true if a job's counters or state went back."""
    counters = ("total", "done", "indexed", "duplicates", "failed")
    fell = [name for name in counters if getattr(after, name) < getattr(before, name)]
    reopened = before.state.is_final and after.state is not before.state
    if reopened or _PLACE.get(after.state, 2) < _PLACE.get(before.state, 0):
        fell.append("state")
    return [Finding(Fault.BACKWARDS, f"{fell} of {before} in {after}")] if fell else []
