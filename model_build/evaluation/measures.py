"""Measures of one descriptor on one protocol: by question, means, intervals."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model_build.evaluation.protocol import Protocol, Question
from model_build.evaluation.ranking import (
    average_precision,
    cosine_scores,
    ranks_of_relevant,
    recall_at,
)
from model_build.evaluation.statistics import Estimate, bootstrap_mean

MEASURES = ("mean_average_precision", "recall_at_1", "recall_at_10")
"""The names of the measures in JSON and in `--fail-under`."""
_QUESTIONS_AT_ONCE = 256


@dataclass(frozen=True)
class Answers:
    """Results of Q questions.

    Attributes:
        measures: Values (Q,) float64 between 0 and 1, by the names in `MEASURES`.
        scores: (Q,) float32, score of the best relevant picture.
    """

    measures: Mapping[str, NDArray[np.float64]]
    scores: NDArray[np.float32]


@dataclass(frozen=True)
class Robustness:
    """Results of one edit.

    Attributes:
        recall_at_1: Share of the copies whose original ranks first.
        median_score: Median score of a copy with its original.
    """

    edit: str
    recall_at_1: float
    median_score: float


def answers(protocol: Protocol, descriptors: NDArray[np.float32]) -> Answers:
    """Answer every question with the unit vectors (N, D) of the protocol's pictures."""
    rows = []
    best = []
    for question, scores in scores_of_questions(protocol, descriptors):
        relevant = protocol.among_gallery(question.relevant)
        ranked = ~protocol.among_gallery(question.left_out)
        ranks = ranks_of_relevant(scores[ranked], relevant[ranked])
        rows.append((average_precision(ranks), recall_at(ranks, 1), recall_at(ranks, 10)))
        best.append(scores[relevant].max())
    columns = np.array(rows, np.float64).T
    return Answers(dict(zip(MEASURES, columns, strict=True)), np.array(best, np.float32))


def scores_of_questions(
    protocol: Protocol, descriptors: NDArray[np.float32], *, at_once: int = _QUESTIONS_AT_ONCE
) -> Iterator[tuple[Question, NDArray[np.float32]]]:
    """Yield each question with the scores (G,) of the gallery's pictures."""
    gallery = descriptors[list(protocol.gallery)]
    for at in range(0, len(protocol.questions), at_once):
        questions = protocol.questions[at : at + at_once]
        queries = descriptors[[question.query for question in questions]]
        yield from zip(questions, cosine_scores(queries, gallery), strict=True)


def estimates(
    protocol: Protocol, given: Answers, reference: Answers | None = None
) -> dict[str, Estimate]:
    """Return the mean of each measure, or of its difference to a reference, with its interval."""
    units = np.array([question.unit for question in protocol.questions], np.intp)
    return {
        name: bootstrap_mean(values - reference.measures[name] if reference else values, units)
        for name, values in given.measures.items()
    }


def robustness(protocol: Protocol, given: Answers) -> tuple[Robustness, ...]:
    """Return the results of each edit, in the order of the questions; empty without edits."""
    edits = np.array([question.edit for question in protocol.questions])
    first = given.measures["recall_at_1"]
    return tuple(
        Robustness(
            edit=edit,
            recall_at_1=float(first[edits == edit].mean()),
            median_score=float(np.median(given.scores[edits == edit])),
        )
        for edit in dict.fromkeys(edits.tolist())
        if edit
    )
