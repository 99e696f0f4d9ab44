"""A campaign's table, written into the documentation between markers."""

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tests.hostile.attack import Outcome, p95
from tests.hostile.campaign import Tally

RELIABILITY = Path(__file__).parents[2] / "docs" / "reliability.md"
_BEGIN, _END = "<!-- hostile -->", "<!-- end of hostile -->"
_MEBIBYTE = 2**20
_COLUMNS = (
    *("inputs", "sent", "refused (4xx)", "answered (2xx)", "5xx", "no answer", "slowest"),
    *("memory", "decoders"),
)


def block(tally: Tally, conditions: str) -> str:
    """Return the table, in Markdown."""
    lines = [
        f"{conditions} {tally.sent:,} inputs.",
        "",
        f"| {' | '.join(_COLUMNS)} |",
        "|---" + (len(_COLUMNS) - 1) * "|---:" + "|",
        *(
            _row(
                kind,
                outcome,
                tally.grown[kind] / _MEBIBYTE,
                tally.decoders[kind] / _MEBIBYTE,
            )
            for kind, outcome in tally.outcomes.items()
        ),
        "",
        _around(tally),
    ]
    if findings := tally.all_findings():
        lines += ["", "Found:", "", *(f"- `{finding[:300]}`" for finding in findings)]
    return "\n".join(lines)


def _around(tally: Tally) -> str:
    return (
        "Memory is what the processes of the service had more than at rest at the worst moment, "
        f"of which {tally.kept / _MEBIBYTE:.0f} MiB were left at the end; decoders is what the "
        "decoder processes had together. A bystander searched with a picture of his own, one "
        "search after the other, in turn alone, while what was made for it came in from three "
        "senders, and while as many sound pictures came in from them: "
        f"{_described(tally.alone)} alone, {_described(tally.attacked)} during the attack, "
        f"{_described(tally.usual)} during sound pictures."
    )


def _described(seconds: Sequence[float]) -> str:
    return (
        f"{len(seconds)} searches of {1000 * float(np.median(seconds)):.0f} ms (median) and "
        f"{1000 * p95(seconds):.0f} ms (95th percentile)"
    )


def _row(kind: str, outcome: Outcome, grown: float, decoders: float) -> str:
    refused = sum(n for status, n in outcome.statuses.items() if 400 <= status < 500)
    answered = sum(n for status, n in outcome.statuses.items() if status < 300)
    seconds, _ = outcome.slowest
    return (
        f"| {kind} | {outcome.sent:,} | {refused:,} | {answered:,} | {outcome.failures} | "
        f"{outcome.silent} | {seconds:.1f} s | {grown:+.0f} MiB | {decoders:.0f} MiB |"
    )


def write(tally: Tally, conditions: str, path: Path = RELIABILITY) -> None:
    """Exchange the block in a document.

    Raises:
        ValueError: The document has no markers for it.
    """
    text = path.read_text()
    if _BEGIN not in text or _END not in text:
        raise ValueError(f"{path} has no {_BEGIN} ... {_END}")
    whole = f"{_BEGIN}\n{block(tally, conditions)}\n{_END}"
    pattern = re.compile(f"{_BEGIN}.*?{_END}", re.DOTALL)
    path.write_text(pattern.sub(lambda _: whole, text))
