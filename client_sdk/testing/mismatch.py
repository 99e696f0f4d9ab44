"""The exceptions of failed assertions."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from client_sdk.testing.messages import describe, plural
from client_sdk.testing.outcome import Judged, Neighbour, Outcome


class VisualMismatch(AssertionError):
    """One assertion failed, or several soft assertions.

    Attributes:
        outcomes: The outcome of each failed assertion.
        pictures: The pictures of the first one, by role, such as `actual`, `expected`, `diff`.
        report: The folder with the pictures; `None` if none were written.
    """

    def __init__(self, judged: Sequence[Judged], report: Path | None = None) -> None:
        self.outcomes: tuple[Outcome, ...] = tuple(one.outcome for one in judged)
        self.pictures: Mapping[str, bytes] = judged[0].pictures
        self.report = report
        super().__init__(self._text())

    @property
    def score(self) -> float | None:
        """The score of the first failed assertion."""
        return self.outcomes[0].score

    @property
    def threshold(self) -> float | None:
        """The threshold of the first failed assertion."""
        return self.outcomes[0].threshold

    @property
    def verdict(self) -> str | None:
        """The verdict of the service in the first failed assertion."""
        return self.outcomes[0].verdict

    @property
    def nearest(self) -> tuple[Neighbour, ...]:
        """The images nearest to the picture of the first failed assertion, best first."""
        return self.outcomes[0].nearest

    @property
    def artefacts(self) -> Path | None:
        """The folder with the pictures and the `result.json` of the first failed assertion."""
        folder = self.outcomes[0].folder
        return None if self.report is None or folder is None else self.report / folder

    def _text(self) -> str:
        texts = [describe(outcome, self.report) for outcome in self.outcomes]
        if len(texts) == 1:
            return texts[0]
        return "\n".join([f"{len(texts)} visual assertions failed", *texts])


class BaselinesWritten(VisualMismatch):
    """Baselines were written by `--visual-update`, and need a review."""

    def _text(self) -> str:
        written = plural(len(self.outcomes), "baseline", "baselines")
        summary = (
            f"{written} written; look at what was written, commit it, and run again without "
            "--visual-update"
        )
        return "\n".join([summary, *(f"  {outcome.baseline}" for outcome in self.outcomes)])


for _kind in (VisualMismatch, BaselinesWritten):
    _kind.__module__ = "client_sdk.testing"  # the name that users import, for tracebacks
