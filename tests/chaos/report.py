"""The campaign's table, written into the documentation between markers."""

import re
from pathlib import Path

from tests.chaos.crash_points import POINTS
from tests.chaos.ledger import Fault
from tests.chaos.tally import Tally

RELIABILITY = Path(__file__).parents[2] / "docs" / "reliability.md"


def block(tally: Tally, conditions: str) -> str:
    """Return the tables of one campaign, in Markdown."""
    hit = [point.name for point in POINTS if tally.hits[point.name]]
    lines = [
        f"{conditions} {tally.killed} kills in {tally.seconds / 60:.0f} minutes.",
        "",
        "| kills of all processes | |",
        "|---|---:|",
        *(f"| {moment} | {number} |" for moment, number in sorted(tally.kills.items())),
        f"| crash points hit, of {len(POINTS)} | {len(hit)} |",
        "",
        "| found | |",
        "|---|---:|",
        *(f"| {_MEANING[fault]} | {tally.faults[fault.value]} |" for fault in Fault),
        "",
        "| other faults | tried | built again, as the log says |",
        "|---|---:|---:|",
        *(
            f"| {name} | {number} | {tally.healed[name] or ''} |"
            for name, number in sorted(tally.trials.items())
        ),
        *(
            f"| {name} | not tried: {why} | |"
            for name, why in sorted(tally.skipped.items())
            if name not in tally.trials
        ),
        "",
        "| crash point | died there |",
        "|---|---:|",
        *(f"| {point.name} | {tally.hits[point.name]} |" for point in POINTS),
    ]
    return "\n".join(lines)


_MEANING = {
    Fault.LOST: "acknowledged and lost",
    Fault.GHOST: "deleted and back",
    Fault.DUPLICATE: "twice",
    Fault.BACKWARDS: "progress that went back",
    Fault.UNFINISHED: "jobs or indexes that never came to an end",
    Fault.DIFFERENT: "ids that differ between catalogue and index",
    Fault.REFUSED: "answers that should not be",
}


def write(tally: Tally, conditions: str, path: Path = RELIABILITY) -> None:
    """Exchange the block of a backend in a document.

    Raises:
        ValueError: The document has no markers for it.
    """
    begin, end = f"<!-- campaign {tally.backend} -->", f"<!-- end of {tally.backend} -->"
    text = path.read_text()
    if begin not in text or end not in text:
        raise ValueError(f"{path} has no {begin} ... {end}")
    pattern = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
    whole = f"{begin}\n{block(tally, conditions)}\n{end}"
    path.write_text(pattern.sub(lambda _: whole, text))
