"""The course of an evaluation: describe, rank, compare."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model_build.errors import EvaluationError
from model_build.evaluation.describers import Describer
from model_build.evaluation.describing import describe
from model_build.evaluation.measures import Robustness, answers, estimates, robustness
from model_build.evaluation.protocol import Protocol
from model_build.evaluation.statistics import Estimate


@dataclass(frozen=True)
class Row:
    """The results of one descriptor.

    Attributes:
        origin: A readable name of what computed it.
        measures: Estimates by the names in `MEASURES`.
        differences: Differences to the first row's measures; empty in the first row.
        robustness: Results by edit; empty without edits.
    """

    descriptor: str
    origin: str
    dimension: int
    measures: Mapping[str, Estimate]
    differences: Mapping[str, Estimate]
    robustness: tuple[Robustness, ...]


@dataclass(frozen=True)
class Evaluation:
    """The rows of a table and their protocol.

    Attributes:
        protocol: The protocol without unreadable pictures.
        unreadable: Reasons by the paths of files that are no pictures, or are broken.
        rows: Rows in the requested order; the first is the reference.
    """

    protocol: Protocol
    unreadable: Mapping[str, str]
    rows: tuple[Row, ...]


def evaluate(
    protocol: Protocol, names: Sequence[str], describers: Sequence[Describer]
) -> Evaluation:
    """Describe a protocol's pictures and measure how well its questions are answered.

    The rows have the order of `names`; `describers` compute these descriptors.

    Raises:
        EvaluationError: No query has a relevant picture that can be read.
    """
    _check_questions(protocol, 0)
    described = describe(protocol.pictures, describers)
    readable = protocol.without(described.unreadable)
    _check_questions(readable, len(described.unreadable))
    paths = {place: str(protocol.pictures[place].path) for place in described.unreadable}
    return Evaluation(
        protocol=readable,
        unreadable={paths[place]: reason for place, reason in described.unreadable.items()},
        rows=_rows(readable, {name: described.descriptors[name] for name in names}, describers),
    )


def _rows(
    protocol: Protocol, vectors: Mapping[str, NDArray[np.float32]], describers: Sequence[Describer]
) -> tuple[Row, ...]:
    origins = {name: describer.origin for describer in describers for name in describer.names}
    given = {name: answers(protocol, descriptors) for name, descriptors in vectors.items()}
    first = next(iter(given.values()))
    return tuple(
        Row(
            descriptor=name,
            origin=origins[name],
            dimension=vectors[name].shape[1],
            measures=estimates(protocol, own),
            differences={} if own is first else estimates(protocol, own, first),
            robustness=robustness(protocol, own),
        )
        for name, own in given.items()
    )


def _check_questions(protocol: Protocol, unreadable: int) -> None:
    if not protocol.questions:
        raise EvaluationError(
            f"no query has a relevant picture ({protocol.skipped} queries have none, {unreadable} "
            "pictures are unreadable); give at least two readable pictures of one label"
        )
