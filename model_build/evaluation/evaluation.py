"""The course of an evaluation: describe, rank, compare."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from model_build.evaluation.describers import Describer
from model_build.evaluation.describing import Described, describe
from model_build.evaluation.errors import NothingToEvaluate
from model_build.evaluation.index import index_recalls
from model_build.evaluation.measures import (
    Answers,
    Robustness,
    answers,
    differences,
    estimates,
    robustness,
)
from model_build.evaluation.protocol import Protocol
from model_build.evaluation.statistics import Estimate


@dataclass(frozen=True)
class Row:
    """The results of one descriptor.

    Attributes:
        descriptor: Its name.
        origin: A readable name of what computed it.
        dimension: D.
        measures: Estimates by the names in `MEASURES`.
        differences: Differences to the first row's measures; empty in the first row.
        robustness: Results by edit; empty without edits.
        index_recall: Share of the exact first ten that the index returned, if measured.
    """

    descriptor: str
    origin: str
    dimension: int
    measures: Mapping[str, Estimate]
    differences: Mapping[str, Estimate]
    robustness: tuple[Robustness, ...]
    index_recall: float | None


@dataclass(frozen=True)
class Unreadable:
    """A picture that could not be described."""

    path: str
    reason: str


@dataclass(frozen=True)
class Evaluation:
    """The rows of a table and their protocol.

    Attributes:
        protocol: The protocol without unreadable pictures.
        unreadable: Files that are no pictures, or are broken, once each.
        rows: Rows in the requested order; the first is the reference.
    """

    protocol: Protocol
    unreadable: tuple[Unreadable, ...]
    rows: tuple[Row, ...]


def evaluate(
    protocol: Protocol,
    names: Sequence[str],
    describers: Sequence[Describer],
    *,
    through_index: bool = False,
) -> Evaluation:
    """Describe a protocol's pictures and measure how well its questions are answered.

    Args:
        protocol: Pictures and questions.
        names: The descriptors, in the order of the rows.
        describers: The describers that compute them.
        through_index: Also compare the service's index with exact search.

    Raises:
        NothingToEvaluate: No query has a relevant picture that can be read.
        IndexUnavailable: The index does not start here.
    """
    _check_questions(protocol, 0)
    described = describe(protocol.pictures, describers)
    readable = protocol.without(described.unreadable)
    _check_questions(readable, len(described.unreadable))
    return Evaluation(
        protocol=readable,
        unreadable=_unreadable(protocol, described),
        rows=_rows(readable, names, describers, described, through_index=through_index),
    )


def _rows(
    protocol: Protocol,
    names: Sequence[str],
    describers: Sequence[Describer],
    described: Described,
    *,
    through_index: bool,
) -> tuple[Row, ...]:
    vectors = {name: described.descriptors[name] for name in names}
    origins = {name: one.origin for one in describers for name in one.names}
    found = {name: answers(protocol, vectors[name]) for name in names}
    recalls = index_recalls(protocol, vectors) if through_index else {}
    return tuple(
        Row(
            descriptor=name,
            origin=origins[name],
            dimension=vectors[name].shape[1],
            measures=estimates(protocol, found[name]),
            differences=_differences(protocol, found, name, names[0]),
            robustness=robustness(protocol, found[name]),
            index_recall=recalls.get(name),
        )
        for name in names
    )


def _differences(
    protocol: Protocol, found: Mapping[str, Answers], name: str, reference: str
) -> dict[str, Estimate]:
    return {} if name == reference else differences(protocol, found[name], found[reference])


def _unreadable(protocol: Protocol, described: Described) -> tuple[Unreadable, ...]:
    reasons = {
        str(protocol.pictures[place].path): reason for place, reason in described.unreadable.items()
    }
    return tuple(Unreadable(path, reason) for path, reason in reasons.items())


def _check_questions(protocol: Protocol, unreadable: int) -> None:
    if not protocol.questions:
        raise NothingToEvaluate(
            f"no query has a relevant picture ({protocol.skipped} queries have none, {unreadable} "
            "pictures are unreadable); give at least two readable pictures of one label"
        )
