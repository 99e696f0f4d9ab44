"""The messages of failed assertions."""

from pathlib import Path

from client_sdk.testing.outcome import Outcome, PixelCount

BLIND = (
    "Descriptors see layout, shapes and colours, and hardly a changed word or number: "
    "also_pixels=0.001 looks at the pixels too."
)
"""The note of every failure that compared scores but no pixels."""

_WIDTH = 10


def describe(outcome: Outcome, report: Path | None = None) -> str:
    """Return a description of a failed or passed assertion, of several lines.

    Args:
        outcome: The outcome of the assertion.
        report: The folder of the report; `None` if no pictures were written.
    """
    facts = [
        ("score", _score(outcome)),
        ("margin", _margin(outcome)),
        ("pixels", "" if outcome.pixels is None else _pixels(outcome.pixels)),
        ("evidence", "; ".join(outcome.evidence)),
        ("nearest", _nearest(outcome)),
        ("ignored", f"{len(outcome.ignored)} boxes" if outcome.ignored else ""),
        ("baseline", outcome.baseline or ""),
        ("pictures", _pictures(outcome, report)),
    ]
    lines = [f"{outcome.assertion}: {outcome.reason}"]
    lines += [f"  {name:<{_WIDTH}}{text}" for name, text in facts if text]
    if is_blind(outcome):
        lines.append(f"  {'note':<{_WIDTH}}{BLIND}")
    return "\n".join(lines)


def is_blind(outcome: Outcome) -> bool:
    """Return True if two pictures were compared by score but not by pixels."""
    looked = outcome.pixels is not None and outcome.pixels.max_share is not None
    return outcome.assertion == "assert_similar" and outcome.score is not None and not looked


def short(path: Path) -> str:
    """Return a path relative to the working directory, if it is below it."""
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


def percent(share: float) -> str:
    """Return a share in percent; a small one is `less than 0.01 %`, never `0.00 %`."""
    if share and share < 0.0001:
        return "less than 0.01 %"
    return f"{100 * share:.2f} %"


def _score(outcome: Outcome) -> str:
    if outcome.score is None:
        return ""
    text = f"{outcome.score:.4f}"
    if outcome.threshold is not None:
        wanted = "below {:.4f}" if outcome.assertion in ("assert_new",) else "at least {:.4f}"
        if outcome.assertion == "assert_no_duplicates":
            wanted = "duplicates from {:.4f} on"
        text += f", asked for: {wanted.format(outcome.threshold)}"
    return f"{text} (verdict: {outcome.verdict})" if outcome.verdict else text


def _margin(outcome: Outcome) -> str:
    if outcome.margin is None:
        return ""
    return f"{outcome.margin:+.4f}, asked for: at least {outcome.min_margin or 0.0:.4f}"


def _pixels(pixels: PixelCount) -> str:
    text = f"{pixels.differing:,} of {pixels.total:,} differ, {percent(pixels.share)}"
    if pixels.max_share is not None:
        most = f"at most {percent(pixels.max_share)}" if pixels.max_share else "none"
        text += f"; {most} may"
    if pixels.box is not None:
        x, y, width, height = pixels.box
        text += f"; all of them in {width} x {height} pixels at ({x}, {y})"
    return text


def _nearest(outcome: Outcome) -> str:
    return ", ".join(f"{one.name} {one.score:.4f}" for one in outcome.nearest)


def _pictures(outcome: Outcome, report: Path | None) -> str:
    if report is None or outcome.folder is None:
        return ""
    names = ", ".join(outcome.pictures.values())
    return f"{short(report / outcome.folder)}: {names}"
