"""What an assertion has found: the content of `result.json`, and what a failure tells."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict

SCHEMA = "lookalike-visual/1"
"""Names the form of `result.json`. Fields are added under it; a change of one has a new name."""

Assertion = Literal[
    "assert_similar",
    "assert_nearest",
    "assert_known",
    "assert_new",
    "assert_no_duplicates",
]


class _Found(BaseModel):
    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True, extra="ignore")


class Neighbour(_Found):
    """One of the images nearest to what was looked at.

    Attributes:
        name: Name of its file.
        score: Cosine of the two descriptors, in [-1, 1].
    """

    name: str
    score: float


class PixelCount(_Found):
    """What a comparison pixel by pixel has shown; see `PixelDifference`."""

    differing: int
    smoothed: int
    total: int
    share: float
    max_share: float | None
    box: tuple[int, int, int, int] | None
    sizes_differ: bool


class Outcome(_Found):
    """What one assertion has found.

    Attributes:
        schema_name: `lookalike-visual/1`.
        test: The test, as pytest or unittest names it; empty for a plain function.
        number: Its place among the assertions of the test, from 1.
        assertion: Name of the assertion.
        name: What was looked at: the name of the baseline, else of the picture.
        passed: Whether it held.
        reason: Why it did not, or did, in one sentence.
        score: Cosine of the two descriptors, in [-1, 1]; `None` where nothing was compared.
        threshold: The score that was asked for, or, for `assert_new`, the one not to reach.
        margin: How far the expected image is ahead of the next other one.
        min_margin: How far it has to be ahead.
        verdict: The service's word for the two pictures: `duplicate`, `near_duplicate`, `similar`.
        evidence: What that word rests on.
        nearest: The images most like it, best first, three at the most.
        pixels: The comparison pixel by pixel.
        ignored: Boxes that did not count, `(x, y, width, height)` in pixels.
        baseline: The file of the baseline; `None` where it is none.
        written: Whether that file was written by `--visual-update`.
        folder: Where the pictures are, below the folder of the report; `None` without pictures.
        pictures: File names there, by what they show: `actual`, `expected`, `diff`.
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
    nearest: tuple[Neighbour, ...] = ()
    pixels: PixelCount | None = None
    ignored: tuple[tuple[float, float, float, float], ...] = ()
    baseline: str | None = None
    written: bool = False
    folder: str | None = None
    pictures: dict[str, str] = {}


@dataclass(frozen=True, slots=True)
class Judged:
    """An outcome and the pictures that show it.

    Attributes:
        outcome: What was found.
        pictures: PNG or other files, by what they show: `actual`, `expected`, `diff`.
    """

    outcome: Outcome
    pictures: Mapping[str, bytes] = field(default_factory=dict[str, bytes])
