"""Findings of `verify`."""

from collections import Counter
from dataclasses import dataclass, field
from enum import Enum

_EXAMPLES = 5


class Kind(Enum):
    """Kinds of findings: the problem, and what `--repair` does about it, if anything."""

    CATALOGUE_DAMAGED = ("the database's own check fails; restore a backup",)
    ROW_DANGLING = "a row refers to a missing row", "removes it, except images and indexes"
    IMAGE_LOST = ("no source has the image's bytes; --repair --drop-missing deletes the image",)
    IMAGE_OUT_OF_REACH = (
        "no source can be read: configure or mount its root, restore the uploads, or grant access",
    )
    SOURCE_LOST = ("one source is gone or changed, another has the bytes",)
    DESCRIPTOR_DAMAGED = (
        "a stored descriptor is missing or not a unit vector; delete the image and train again",
    )
    HASHES_DAMAGED = (
        "perceptual hashes or a miniature have a wrong length",
        "removes them, and the service computes them again",
    )
    UPLOAD_UNNEEDED = "neither an image nor a job needs this upload", "removes it"
    UPLOAD_STRAY = ("a file in the uploads folder is not an upload; move it away",)
    QUEUED_UPLOAD_LOST = ("an open job needs this missing upload; the job will count it as failed",)
    INDEX_MISSING = "a collection has no index", "or a start of the service builds it"
    INDEX_DAMAGED = "an index does not load", "or a start of the service rebuilds it"
    INDEX_ROW_MISSING = "the index lacks an image", "inserts it"
    INDEX_ROW_UNKNOWN = "the index has a row without an image", "removes it"
    INDEX_LEFT_OVER = "an index belongs to no collection", "drops it"

    def __init__(self, problem: str, repair: str = "") -> None:
        self.code = self.name.lower()
        self.meaning = f"{problem}; --repair {repair}" if repair else problem
        self.is_repairable = bool(repair)


@dataclass
class Findings:
    """Numbers of checked items, by their plural noun, and of findings, with the first examples.

    `lost` has ids of lost images by their collection, `misshapen` those with damaged hashes.
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
                    "kind": kind.code,
                    "count": self.counts[kind],
                    "meaning": kind.meaning,
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
                lines.append(f"{self.counts[kind]:>8}  {kind.code}: {kind.meaning}")
                lines.extend(f"{'':>10}  {example}" for example in self.examples[kind])
                if self.counts[kind] > len(self.examples[kind]):
                    lines.append(f"{'':>10}  ...")
        return lines if self.counts else [*lines, "no findings"]
