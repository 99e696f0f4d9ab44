"""What `verify` may find, and the collection of what it found."""

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum

_EXAMPLES = 5


class Kind(StrEnum):
    """Kinds of findings; `MEANING` explains each."""

    CATALOGUE_DAMAGED = "catalogue_damaged"
    ROW_DANGLING = "row_dangling"
    IMAGE_LOST = "image_lost"
    IMAGE_OUT_OF_REACH = "image_out_of_reach"
    SOURCE_LOST = "source_lost"
    DESCRIPTOR_DAMAGED = "descriptor_damaged"
    HASHES_DAMAGED = "hashes_damaged"
    UPLOAD_UNNEEDED = "upload_unneeded"
    UPLOAD_STRAY = "upload_stray"
    QUEUED_UPLOAD_LOST = "queued_upload_lost"
    INDEX_MISSING = "index_missing"
    INDEX_DAMAGED = "index_damaged"
    INDEX_ROW_MISSING = "index_row_missing"
    INDEX_ROW_UNKNOWN = "index_row_unknown"
    INDEX_LEFT_OVER = "index_left_over"


MEANING = {
    Kind.CATALOGUE_DAMAGED: "the database's own check fails; restore a backup",
    Kind.ROW_DANGLING: "a row belongs to one that is not there; --repair removes it, but no image "
    "and no index",
    Kind.IMAGE_LOST: "its bytes are at none of its sources; --repair --drop-missing deletes it",
    Kind.IMAGE_OUT_OF_REACH: "none of its sources can be looked at: configure or mount its root, "
    "put the uploads back, or let the service read the file",
    Kind.SOURCE_LOST: "one source is gone or changed, another has the bytes",
    Kind.DESCRIPTOR_DAMAGED: "a stored descriptor is no unit vector, or is not there; delete the "
    "image and train again",
    Kind.HASHES_DAMAGED: "perceptual hashes of a wrong length; --repair removes them, and the "
    "service computes them again",
    Kind.UPLOAD_UNNEEDED: "nobody needs this stored upload; --repair removes it",
    Kind.UPLOAD_STRAY: "a file among the uploads that is none; move it away",
    Kind.QUEUED_UPLOAD_LOST: "an open job waits for it; the job will count it as failed",
    Kind.INDEX_MISSING: "a collection has no index; --repair builds it, and so does a start",
    Kind.INDEX_DAMAGED: "an index does not load; --repair builds it, and so does a start",
    Kind.INDEX_ROW_MISSING: "the index lacks an image; --repair sends it again",
    Kind.INDEX_ROW_UNKNOWN: "the index has a row of no image; --repair removes it",
    Kind.INDEX_LEFT_OVER: "an index that no collection has any more; --repair drops it",
}
REPAIRABLE = frozenset(
    {
        Kind.ROW_DANGLING,
        Kind.HASHES_DAMAGED,
        Kind.UPLOAD_UNNEEDED,
        Kind.INDEX_MISSING,
        Kind.INDEX_DAMAGED,
        Kind.INDEX_ROW_MISSING,
        Kind.INDEX_ROW_UNKNOWN,
        Kind.INDEX_LEFT_OVER,
    }
)


@dataclass
class Findings:
    """What was looked at and what was found; it grows while `verify` looks.

    Attributes:
        checked: How much was looked at, by what it is.
        counts: Findings by kind.
        examples: The first few of each kind.
        lost: Ids of lost images, by the id of their collection.
        misshapen: Ids of images with damaged hashes.
    """

    checked: Counter[str] = field(default_factory=Counter)
    counts: Counter[Kind] = field(default_factory=Counter)
    examples: dict[Kind, list[str]] = field(default_factory=dict)
    lost: dict[int, list[int]] = field(default_factory=dict)
    misshapen: list[int] = field(default_factory=list)

    def add(self, kind: Kind, example: str) -> None:
        """Count one finding."""
        self.counts[kind] += 1
        shown = self.examples.setdefault(kind, [])
        if len(shown) < _EXAMPLES:
            shown.append(example)

    def record(self) -> dict[str, object]:
        """For programs."""
        return {
            "checked": dict(self.checked),
            "findings": [
                {
                    "kind": kind.value,
                    "count": self.counts[kind],
                    "meaning": MEANING[kind],
                    "examples": self.examples[kind],
                }
                for kind in Kind
                if kind in self.counts
            ],
        }

    def lines(self) -> list[str]:
        """For people."""
        checked = ", ".join(f"{count} {what}" for what, count in self.checked.items())
        lines = [f"looked at {checked}"]
        for kind in Kind:
            if kind in self.counts:
                lines.append(f"{self.counts[kind]:>8}  {kind.value}: {MEANING[kind]}")
                lines.extend(f"{'':>10}  {example}" for example in self.examples[kind])
                if self.counts[kind] > len(self.examples[kind]):
                    lines.append(f"{'':>10}  ...")
        return lines if self.counts else [*lines, "nothing to complain of"]
