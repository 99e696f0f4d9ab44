"""The messages of failed assertions."""

import shlex
from pathlib import Path

from client_sdk.testing.outcome import Outcome, PixelDifference, Region

MAX_REGIONS = 5
_WIDTH = 10


def describe(outcome: Outcome, report: Path | None = None) -> str:
    """Return a description of an assertion, of several lines; see `VisualMismatch` for `report`."""
    facts = [
        *([] if outcome.pixels is None else _regions(outcome.pixels)),
        ("score", score_of(outcome)),
        ("margin", _margin(outcome)),
        ("evidence", "; ".join(outcome.evidence)),
        ("nearest", ", ".join(f"{one.name} {one.score:.4f}" for one in outcome.nearest)),
        ("ignored", plural(len(outcome.ignored), "box", "boxes") if outcome.ignored else ""),
        *(("note", note) for note in outcome.notes),
        ("baseline", outcome.baseline or ""),
        ("pictures", _pictures(outcome, report)),
        ("accept", accept_command(outcome, report) or ""),
    ]
    lines = [f"{outcome.assertion}: {outcome.reason}"]
    lines += [f"  {name:<{_WIDTH}}{text}" for name, text in facts if text]
    return "\n".join(lines)


def reason_of_difference(found: PixelDifference, actual: str, expected: str) -> str:
    """Return in one sentence how two pictures differ."""
    if found.size == found.expected_size:
        places = plural(found.places, "place", "places")
        pixels = plural(found.differing, "pixel", "pixels")
        return f"{actual} differs from {expected} in {places}, {pixels}"
    sizes = ["{} x {}".format(*size) for size in (found.size, found.expected_size)]
    reason = f"{actual} has {sizes[0]} pixels, {expected} has {sizes[1]}"
    across, down = (mine / its for mine, its in zip(found.size, found.expected_size, strict=True))
    if abs(across - down) < max(across, down) / min(found.size):
        reason += f"; the scale is {across:.3g}, as with another device scale factor"
    return reason


def accept_command(outcome: Outcome, report: Path | None) -> str | None:
    """Return the command that makes the picture of a failure the baseline."""
    is_png = (outcome.baseline or "").lower().endswith(".png")
    if report is None or outcome.folder is None or not is_png:
        return None
    return f"pytest --visual-accept={shlex.quote(short(report / outcome.folder))}"


def score_of(outcome: Outcome) -> str:
    """Return the score of an outcome with the required score, or with its meaning."""
    if outcome.score is None:
        return ""
    text = f"{outcome.score:.4f}"
    if outcome.assertion == "assert_similar":
        return f"{text}, where 1 is the same picture; the pixels decide"
    if outcome.threshold is not None:
        wanted = {
            "assert_new": "below {}",
            "assert_no_duplicates": "duplicates from {} on",
        }.get(outcome.assertion, "at least {}")
        places = 4 if text != f"{outcome.threshold:.4f}" else 6
        text = f"{outcome.score:.{places}f}, required: "
        text += wanted.format(f"{outcome.threshold:.{places}f}")
    return f"{text} (verdict: {outcome.verdict})" if outcome.verdict else text


def region_of(region: Region) -> str:
    """Return where a place is, and how far it has moved."""
    x, y, width, height = region.box
    way = ""
    if region.by is not None:
        across, down = region.by
        side = f"{abs(across)} to the {'right' if across > 0 else 'left'}"
        level = f"{abs(down)} {'down' if down > 0 else 'up'}"
        way = f"; moved {side if across else level}"
    return f"{width} x {height} pixels at ({x}, {y}){way}"


def short(path: Path) -> str:
    """Return a path relative to the working directory, if it is below it."""
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


def plural(count: int, one: str, several: str) -> str:
    """Return a number and its noun."""
    return f"{count:,} {one if count == 1 else several}"


def _regions(pixels: PixelDifference) -> list[tuple[str, str]]:
    lines: list[tuple[str, str]] = [
        (region.what, region_of(region)) for region in pixels.regions[:MAX_REGIONS]
    ]
    more = pixels.places - len(lines)
    if more > 0:
        lines.append(("and", plural(more, "more place", "more places")))
    if pixels.tolerated:
        lines.append(("tolerated", f"{plural(pixels.tolerated, 'pixel', 'pixels')} of noise"))
    return lines


def _margin(outcome: Outcome) -> str:
    if outcome.margin is None:
        return ""
    return f"{outcome.margin:+.4f}, required: at least {outcome.min_margin or 0.0:.4f}"


def _pictures(outcome: Outcome, report: Path | None) -> str:
    if report is None or outcome.folder is None or not outcome.pictures:
        return ""
    names = ", ".join(outcome.pictures.values())
    return f"{short(report / outcome.folder)}: {names}"
