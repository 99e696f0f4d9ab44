"""Accepting failures from a report: their pictures become the baselines."""

from collections.abc import Collection
from pathlib import Path

from pydantic import ValidationError

from client_sdk.errors import UsageError
from client_sdk.testing.artefacts import RESULT
from client_sdk.testing.outcome import Outcome


def accept(folder: Path, roots: Collection[Path]) -> tuple[list[Path], list[Path]]:
    """Copy the pictures of failed comparisons over their baselines.

    `folder` is that of one failure, or of a whole report. Baselines must lie in one of the `roots`.

    Returns:
        The written baselines, and those that were not written because they are no PNG.

    Raises:
        UsageError: If there is no failure of a comparison, or its baseline cannot be written.
    """
    chosen = {
        _target(outcome, roots): result.parent / outcome.pictures["actual"]
        for result in sorted(folder.rglob(RESULT))
        if (outcome := _comparison(result)) is not None
    }
    if not chosen:
        raise UsageError(f"{folder} has no failed comparison with a baseline; give its folder")
    written = sorted(target for target in chosen if target.suffix.lower() == ".png")
    for target in written:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(chosen[target].read_bytes())
    return written, sorted(chosen.keys() - written)


def _comparison(result: Path) -> Outcome | None:
    try:
        outcome = Outcome.model_validate_json(result.read_bytes())
    except ValidationError as error:
        raise UsageError(f"{result} is not valid; run the tests again") from error
    return outcome if outcome.baseline and "actual" in outcome.pictures else None


def _target(outcome: Outcome, roots: Collection[Path]) -> Path:
    target = (Path.cwd() / (outcome.baseline or "")).resolve()
    if not any(target.is_relative_to(root.resolve()) for root in roots):
        raise UsageError(
            f"the baseline {target} lies outside of this project; run the command in the folder "
            "in which the tests ran"
        )
    return target
