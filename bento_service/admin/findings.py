"""Findings of `verify`."""

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
    Kind.ROW_DANGLING: "a row refers to a missing row; --repair removes it, except images and "
    "indexes",
    Kind.IMAGE_LOST: "no source has the image's bytes; --repair --drop-missing deletes the image",
    Kind.IMAGE_OUT_OF_REACH: "no source can be read: configure or mount its root, "
    "put the uploads back, or let the service read the file",
    Kind.SOURCE_LOST: "one source is gone or changed, another has the bytes",
    Kind.DESCRIPTOR_DAMAGED: "a stored descriptor is missing or not a unit vector; delete the "
    "image and train again",
    Kind.HASHES_DAMAGED: "perceptual hashes or a miniature have a wrong length; --repair removes "
    "them, and the service computes them again",
    Kind.UPLOAD_UNNEEDED: "neither an image nor a job needs this upload; --repair removes it",
    Kind.UPLOAD_STRAY: "a file in the uploads folder is not an upload; move it away",
    Kind.QUEUED_UPLOAD_LOST: "an open job needs this missing upload; the job will count it as "
    "failed",
    Kind.INDEX_MISSING: "a collection has no index; --repair or a start of the service builds it",
    Kind.INDEX_DAMAGED: "an index does not load; --repair or a start of the service rebuilds it",
    Kind.INDEX_ROW_MISSING: "the index lacks an image; --repair inserts it",
    Kind.INDEX_ROW_UNKNOWN: "the index has a row without an image; --repair removes it",
    Kind.INDEX_LEFT_OVER: "an index belongs to no collection; --repair drops it",
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
    """Numbers of checked items, and the findings.

    Attributes:
        checked: Numbers of checked items, by their plural noun.
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
        """Return the findings for programs."""
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
        """Return the findings as lines of text."""
        lines = [f"checked {', '.join(f'{count} {noun}' for noun, count in self.checked.items())}"]
        for kind in Kind:
            if kind in self.counts:
                lines.append(f"{self.counts[kind]:>8}  {kind.value}: {MEANING[kind]}")
                lines.extend(f"{'':>10}  {example}" for example in self.examples[kind])
                if self.counts[kind] > len(self.examples[kind]):
                    lines.append(f"{'':>10}  ...")
        return lines if self.counts else [*lines, "no findings"]
