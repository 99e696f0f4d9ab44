"""The outcome of an assertion: the content of `result.json` and of failure messages."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from pydantic import Field

from client_sdk.schemas.answer import Answer

SCHEMA = "lookalike-visual/2"
"""The version of `result.json`. New fields keep it; a changed field gets a new version."""

Assertion = Literal[
    "assert_similar",
    "assert_looks_like",
    "assert_nearest",
    "assert_known",
    "assert_new",
    "assert_no_duplicates",
]


class Neighbour(Answer):
    """One of the images nearest to the picture of an assertion.

    Attributes:
        name: The name of its file.
        score: The cosine of the two descriptors, in [-1, 1].
    """

    name: str
    score: float


PixelBox = tuple[int, int, int, int]
"""`(x, y, width, height)` in whole pixels."""


class Region(Answer):
    """One place where two pictures differ.

    Attributes:
        what: `missing`, `new` or `moved`; `changed` if it is none of these.
        box: The bounding box of the differing pixels.
        pixels: The number of differing pixels.
        by: The pixels to the right and down by which the place has moved.
    """

    what: Literal["missing", "new", "moved", "changed"]
    box: PixelBox
    pixels: int
    by: tuple[int, int] | None = None


class PixelDifference(Answer):
    """The result of a pixel comparison.

    Attributes:
        size: The width and height of the picture.
        expected_size: The width and height of the expected picture; if it is another one, nothing
            else was compared.
        differing: The number of differing pixels that count.
        tolerated: The number of differing pixels that are tolerated as noise of rendering.
        places: The number of places with differing pixels.
        regions: The largest places, largest first, at most twenty.
    """

    size: tuple[int, int]
    expected_size: tuple[int, int]
    differing: int = 0
    tolerated: int = 0
    places: int = 0
    regions: tuple[Region, ...] = ()

    @property
    def passed(self) -> bool:
        """True if the pictures have the same size, and no place differs."""
        return self.size == self.expected_size and not self.places


class Outcome(Answer):
    """The outcome of one assertion.

    Attributes:
        schema_name: The version of this schema, `lookalike-visual/2`.
        test: The test, as pytest or unittest names it; empty for a plain function.
        number: The position among the assertions of the test, from 1.
        assertion: The name of the assertion.
        name: The name of the baseline, else of the picture.
        passed: True if the assertion passed.
        reason: The reason why it passed or failed, in one sentence.
        score: The cosine of the two descriptors, in [-1, 1]; `None` if they were not compared. In
            `assert_similar` it only explains a failure.
        threshold: The lowest score that passes; for `assert_new` the lowest score that fails.
        notes: Remarks that help to understand a failure.
        margin: The score of the expected image minus that of the best other image.
        min_margin: The smallest margin that passes.
        verdict: The verdict of the service: `duplicate`, `near_duplicate` or `similar`.
        evidence: The evidence for the verdict.
        nearest: The nearest images, best first, at most three.
        pixels: The result of the pixel comparison.
        ignored: The ignored boxes, `(x, y, width, height)` in pixels.
        baseline: The file of the baseline; `None` if there is none.
        written: True if `--visual-update` has written that file.
        folder: The folder of the pictures, relative to that of the report; `None` without pictures.
        pictures: The file names of the pictures, by role, such as `actual`, `expected`, `diff`.
    """

    schema_name: str = SCHEMA
    test: str = ""
    number: int = 1
    assertion: Assertion
    name: str
    passed: bool
    reason: str
    score: float | None = None
    threshold: float | None = None
    margin: float | None = None
    min_margin: float | None = None
    verdict: str | None = None
    evidence: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    nearest: tuple[Neighbour, ...] = ()
    pixels: PixelDifference | None = None
    ignored: tuple[tuple[float, float, float, float], ...] = ()
    baseline: str | None = None
    written: bool = False
    folder: str | None = None
    pictures: dict[str, str] = Field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Judged:
    """An outcome and its pictures.

    Attributes:
        outcome: The outcome.
        pictures: The bytes of picture files, by role, such as `actual`, `expected`, `diff`.
    """

    outcome: Outcome
    pictures: Mapping[str, bytes] = field(default_factory=dict[str, bytes])
