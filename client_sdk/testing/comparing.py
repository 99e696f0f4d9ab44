"""Comparison with baselines: their files, and what happens if one is missing or differs."""

from collections.abc import Callable
from pathlib import Path
from typing import cast

from client_sdk.errors import UsageError
from client_sdk.testing.baselines import Place, located, write
from client_sdk.testing.likely import BaselineNeighbours
from client_sdk.testing.messages import short
from client_sdk.testing.options import Options
from client_sdk.testing.outcome import Assertion, Judged, Outcome
from client_sdk.testing.pictures import Shot, VisualPicture, read


class Baselines:
    """The baselines of one test; without `neighbours`, failures do not name the nearest ones."""

    def __init__(
        self, options: Options, place: Place, neighbours: BaselineNeighbours | None
    ) -> None:
        self._options = options
        self._place = place
        self._neighbours = neighbours
        self._without_name = 0

    def compared(
        self,
        assertion: Assertion,
        shot: Shot,
        baseline: VisualPicture | None,
        judge: Callable[[Shot], Judged],
    ) -> Judged:
        """Judge a picture by its baseline; write the baseline if the options ask for it.

        Raises:
            OSError: If the file of the baseline cannot be read.
            UsageError: If there is neither a baseline nor a test that could name it.
        """
        file = self._file_of(baseline)
        if file is None:
            return judge(read(cast("VisualPicture", baseline), "baseline"))
        if not file.exists():
            return self._without_baseline(assertion, shot, file)
        return self._with_baseline(judge(read(file)), shot, file)

    def _file_of(self, baseline: VisualPicture | None) -> Path | None:
        if baseline is None:
            if not self._place.test:
                raise UsageError("the assertion needs a baseline: a file or a picture")
            self._without_name += 1
            more = f"~{self._without_name}" if self._without_name > 1 else ""
            name = Path(f"{self._place.own_name}{more}.png")
        elif isinstance(baseline, str | Path):
            name = Path(baseline)
        else:
            return None
        return located(name, self._place, self._options.baselines)

    def _without_baseline(self, assertion: Assertion, shot: Shot, file: Path) -> Judged:
        outcome = Outcome(
            assertion=assertion,
            name=file.name,
            passed=False,
            reason=f"there is no baseline {short(file)}",
            baseline=short(file),
        )
        if self._options.update:
            return self._rewritten(Judged(outcome, {"actual": shot.data}), shot, file)
        how = "run once with --visual-update, look at the picture that it writes, and commit it"
        if self._options.in_ci:
            how = f"CI writes no baselines: on your own machine {how}"
        reason = f"{outcome.reason}; {how}"
        return Judged(outcome.model_copy(update={"reason": reason}), {"actual": shot.data})

    def _with_baseline(self, judged: Judged, shot: Shot, file: Path) -> Judged:
        found: dict[str, object] = {"baseline": short(file)}
        if judged.outcome.passed or self._options.update:
            judged = Judged(judged.outcome.model_copy(update=found), judged.pictures)
            return judged if judged.outcome.passed else self._rewritten(judged, shot, file)
        if self._neighbours is not None:
            found["nearest"] = self._neighbours.nearest(shot, file.parent)
        return Judged(judged.outcome.model_copy(update=found), judged.pictures)

    def _rewritten(self, judged: Judged, shot: Shot, file: Path) -> Judged:
        write(file, shot)
        found = {"written": True, "reason": f"the baseline {short(file)} was written; review it"}
        return Judged(judged.outcome.model_copy(update=found), judged.pictures)
