"""Reports of an evaluation: a table as text and a record for programs."""

from collections.abc import Iterable, Sequence
from typing import Any

from model_build.evaluation.evaluation import Evaluation, Row
from model_build.evaluation.measures import MEASURES
from model_build.evaluation.statistics import CONFIDENCE, RESAMPLES, Estimate

_TITLES = ("mAP", "R@1", "R@10")


def table(evaluation: Evaluation) -> str:
    """Return the results in percent; differences in percentage points."""
    rows = evaluation.rows
    parts = [_summary(evaluation), _measures(rows)]
    if len(rows) > 1:
        parts.append(_differences(rows))
    if rows[0].robustness:
        parts.append(_robustness(rows))
    return "\n\n".join(parts) + "\n"


def record(evaluation: Evaluation) -> dict[str, Any]:
    """Return the results as a JSON object; shares between 0 and 1."""
    protocol = evaluation.protocol
    return {
        "protocol": protocol.name,
        **{name.replace(" ", "_"): value for name, value in protocol.facts},
        "pictures": len(protocol.gallery),
        "queries": len(protocol.questions),
        "skipped_queries": protocol.skipped,
        "unreadable": [
            {"path": path, "reason": reason} for path, reason in evaluation.unreadable.items()
        ],
        "confidence": CONFIDENCE,
        "resamples": RESAMPLES,
        "reference": evaluation.rows[0].descriptor,
        "rows": [_row_record(row) for row in evaluation.rows],
    }


def _row_record(row: Row) -> dict[str, Any]:
    return {
        "descriptor": row.descriptor,
        "origin": row.origin,
        "dimension": row.dimension,
        "measures": {name: vars(estimate) for name, estimate in row.measures.items()},
        "differences": {name: vars(estimate) for name, estimate in row.differences.items()},
        "edits": [vars(edit) for edit in row.robustness],
    }


def _summary(evaluation: Evaluation) -> str:
    protocol = evaluation.protocol
    facts = "".join(f", {name}: {value}" for name, value in protocol.facts)
    counts = (
        f"{len(protocol.questions)} queries, {protocol.skipped} skipped without a relevant picture"
    )
    return "\n".join(
        [
            f"{protocol.name}, pictures: {len(protocol.gallery)}{facts}",
            f"{counts}, {len(evaluation.unreadable)} unreadable files",
            *(f"  {path}: {reason}" for path, reason in evaluation.unreadable.items()),
        ]
    )


def _measures(rows: Sequence[Row]) -> str:
    lines = [
        [
            row.descriptor,
            str(row.dimension),
            *(f"{100 * row.measures[name].value:.1f}" for name in MEASURES),
        ]
        for row in rows
    ]
    return _aligned([["descriptor", "dim", *_TITLES], *lines])


def _differences(rows: Sequence[Row]) -> str:
    lines = [
        [row.descriptor, *(_difference(row.differences[name]) for name in MEASURES)]
        for row in rows[1:]
    ]
    explained = (
        f"differences to {rows[0].descriptor} with {CONFIDENCE:.0%} intervals of a paired "
        "bootstrap (* without 0)"
    )
    return f"{explained}\n{_aligned([['descriptor', *_TITLES], *lines])}"


def _difference(estimate: Estimate) -> str:
    star = "*" if estimate.excludes_zero else " "
    return (
        f"{100 * estimate.value:+.1f}{star} [{100 * estimate.low:+.1f}, {100 * estimate.high:+.1f}]"
    )


def _robustness(rows: Sequence[Row]) -> str:
    lines = [
        [
            edits[0].edit,
            *(f"{100 * edit.recall_at_1:5.1f}  {edit.median_score:6.3f}" for edit in edits),
        ]
        for edits in zip(*(row.robustness for row in rows), strict=True)
    ]
    explained = "for each edit: R@1 and the median cosine of a copy with its original"
    return f"{explained}\n{_aligned([['edit', *(row.descriptor for row in rows)], *lines])}"


def _aligned(lines: Iterable[Sequence[str]]) -> str:
    """Align the first column to the left, the others to the right."""
    cells = [list(line) for line in lines]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return "\n".join(
        "  ".join(
            [first.ljust(widths[0])]
            + [cell.rjust(width) for cell, width in zip(rest, widths[1:], strict=True)]
        )
        for first, *rest in cells
    )
