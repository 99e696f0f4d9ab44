"""What a failed assertion raises."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from client_sdk.testing.messages import describe
from client_sdk.testing.outcome import Judged, Neighbour, Outcome


class VisualMismatch(AssertionError):
    """Pictures are not what an assertion says, or several of them after soft assertions.

    Attributes:
        outcomes: What each failed assertion has found.
        pictures: The pictures of the first, by what they show: `actual`, `expected`, `diff`.
        report: The folder under which the pictures were kept, `None` where they were not.
    """

    def __init__(self, judged: Sequence[Judged], report: Path | None = None) -> None:
        self.outcomes: tuple[Outcome, ...] = tuple(one.outcome for one in judged)
        self.pictures: Mapping[str, bytes] = judged[0].pictures
        self.report = report
        super().__init__(self._text())

    @property
    def score(self) -> float | None:
        """The score of the first that failed."""
        return self.outcomes[0].score

    @property
    def threshold(self) -> float | None:
        """The score that it asked for."""
        return self.outcomes[0].threshold

    @property
    def verdict(self) -> str | None:
        """The service's word for its two pictures."""
        return self.outcomes[0].verdict

    @property
    def nearest(self) -> tuple[Neighbour, ...]:
        """The images most like it, best first."""
        return self.outcomes[0].nearest

    @property
    def artefacts(self) -> Path | None:
        """The folder of its pictures and its `result.json`."""
        folder = self.outcomes[0].folder
        return None if self.report is None or folder is None else self.report / folder

    def _text(self) -> str:
        texts = [describe(outcome, self.report) for outcome in self.outcomes]
        if len(texts) == 1:
            return texts[0]
        return "\n".join([f"{len(texts)} visual assertions failed", *texts])


class BaselinesWritten(VisualMismatch):
    """Baselines were written by `--visual-update`, and somebody has to look at them."""

    def _text(self) -> str:
        count = len(self.outcomes)
        told = (
            f"{count} {'baseline' if count == 1 else 'baselines'} written; look at what was "
            "written, commit it, and run again without --visual-update"
        )
        return "\n".join([told, *(f"  {outcome.baseline}" for outcome in self.outcomes)])


for _kind in (VisualMismatch, BaselinesWritten):
    _kind.__module__ = "client_sdk.testing"  # as users import it, and as a traceback names it
