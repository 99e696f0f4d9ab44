"""Protocols from CSV files: pictures with labels, or queries with their relevant pictures.

The first line names the columns; other columns are ignored. Paths are relative to the
folder of the file.
"""

import csv
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

from model_build.errors import EvaluationError
from model_build.evaluation.folders import labelled, pictures_in
from model_build.evaluation.protocol import Picture, Protocol, Question


def labelled_list(file: Path) -> Protocol:
    """Return the leave-one-out protocol of a file with the columns `path` and `label`.

    Raises:
        EvaluationError: A line is invalid, or there is only one label.
    """
    first_seen: dict[Path, int] = {}
    labels = []
    for number, (name, label) in _lines(file, ("path", "label")):
        path = _existing(file, number, name)
        if path in first_seen:
            raise _refused(file, number, f"{path} is in line {first_seen[path]} already")
        first_seen[path] = number
        labels.append(label)
    return labelled("labelled list", list(first_seen), labels)


def query_relevant_pairs(file: Path, distractors: Sequence[Path] = ()) -> Protocol:
    """Return the protocol of a file with the columns `query` and `relevant`, one pair a line.

    The gallery is every picture that is relevant to some query, and those in the folders of
    `distractors`. A query that is in the gallery too is excluded from its own ranking.

    Raises:
        EvaluationError: A line is invalid, or there is none.
    """
    relevant_to: dict[Path, set[Path]] = defaultdict(set)
    for number, values in _lines(file, ("query", "relevant")):
        query, relevant = (_existing(file, number, value) for value in values)
        if query == relevant:
            raise _refused(file, number, f"{query} is named as relevant to itself")
        relevant_to[query].add(relevant)
    searched = set().union(*relevant_to.values())
    if distractors:
        searched |= {path.resolve() for path in pictures_in(distractors)}
    gallery, queries = sorted(searched), sorted(set(relevant_to) - searched)
    place_of = {path: place for place, path in enumerate(gallery + queries)}
    questions = [
        Question.leave_one_out(place_of[query], [place_of[path] for path in relevant])
        for query, relevant in relevant_to.items()
    ]
    return Protocol.of_questions(
        "query-relevant pairs", gallery, questions, queries=[*map(Picture, queries)]
    )


def _lines(file: Path, columns: Sequence[str]) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Yield the number and the values in some columns of each line; at least one line."""
    rows = _rows(file)
    _, header = next(rows, (1, []))
    names = [name.strip() for name in header]
    wanted = ",".join(columns)
    if any(names.count(column) != 1 for column in columns):
        raise _refused(file, 1, f"the first line must name the columns {wanted}")
    number = 0
    for number, row in rows:
        if len(row) != len(names):
            raise _refused(file, number, f"{len(row)} values for {len(names)} columns")
        values = tuple(row[names.index(column)].strip() for column in columns)
        if not all(values):
            raise _refused(file, number, f"no value of {wanted} may be empty")
        yield number, values
    if not number:
        raise EvaluationError(f"{file} has no line below the names of its columns")


def _rows(file: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield the rows that are not empty, each with the number of its (last) line."""
    try:
        with file.open(newline="", encoding="utf-8-sig") as opened:
            rows = csv.reader(opened, strict=True)
            try:
                yield from ((rows.line_num, row) for row in rows if row)
            except csv.Error as error:
                raise _refused(file, rows.line_num, str(error)) from error
    except UnicodeDecodeError as error:
        raise EvaluationError(f"{file} is not UTF-8 text; save it as CSV in UTF-8") from error


def _existing(file: Path, number: int, value: str) -> Path:
    path = (file.parent / value).resolve()
    if not path.is_file():
        raise _refused(file, number, f"there is no file {value} (paths are relative to this file)")
    return path


def _refused(file: Path, number: int, why: str) -> EvaluationError:
    return EvaluationError(f"{file}, line {number}: {why}")
