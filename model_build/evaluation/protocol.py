"""Protocols: pictures, queries and their relevant pictures."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from client_sdk.decoding.formats import Region


@dataclass(frozen=True)
class Picture:
    """A picture to describe.

    Attributes:
        region: Part of the upright picture to use.
        changed: Edits the bytes of the file before they are described; for copies.
    """

    path: Path
    region: Region | None = None
    changed: Callable[[bytes], bytes] | None = None

    def content(self) -> bytes:
        """Return the encoded picture."""
        content = self.path.read_bytes()
        return content if self.changed is None else self.changed(content)


@dataclass(frozen=True)
class Question:
    """One query. Numbers are positions in `Protocol.pictures`.

    Attributes:
        relevant: The relevant pictures of the gallery.
        left_out: Irrelevant pictures excluded from this ranking: the query and ambiguous ones.
        unit: Questions of one unit are drawn together in the bootstrap.
        edit: The edit of a copy.
    """

    query: int
    relevant: frozenset[int]
    left_out: frozenset[int]
    unit: int
    edit: str = ""

    @classmethod
    def leave_one_out(cls, query: int, relevant: Collection[int]) -> Self:
        """Return the question of a picture of the gallery, left out of its own ranking."""
        return cls(query, frozenset(relevant) - {query}, frozenset({query}), unit=query)


@dataclass(frozen=True)
class Protocol:
    """Pictures, gallery and questions.

    Attributes:
        pictures: Gallery and queries.
        gallery: Positions of the pictures that are searched.
        questions: Questions with at least one relevant picture each.
        skipped: Number of queries without a relevant picture, and so without an average precision.
        facts: Further facts for readers, such as the number of labels.
    """

    name: str
    pictures: tuple[Picture, ...]
    gallery: tuple[int, ...]
    questions: tuple[Question, ...]
    skipped: int
    facts: tuple[tuple[str, int], ...] = ()

    @classmethod
    def of_questions(
        cls,
        name: str,
        gallery: Sequence[Path],
        questions: Collection[Question],
        *,
        queries: Sequence[Picture] = (),
        facts: tuple[tuple[str, int], ...] = (),
    ) -> Self:
        """Return the protocol of the questions that have a relevant picture; count the others.

        The pictures are those of the gallery, followed by the `queries` outside of it.
        """
        pictures = (*map(Picture, gallery), *queries)
        protocol = cls(name, pictures, tuple(range(len(gallery))), tuple(questions), 0, facts)
        return protocol.without(())

    @cached_property
    def _column_of(self) -> dict[int, int]:
        return {place: column for column, place in enumerate(self.gallery)}

    def among_gallery(self, places: Collection[int]) -> NDArray[np.bool_]:
        """Return a mask (G,) of the gallery's pictures at some positions."""
        among = np.zeros(len(self.gallery), np.bool_)
        among[[self._column_of[place] for place in places if place in self._column_of]] = True
        return among

    def without(self, unreadable: Collection[int]) -> Self:
        """Return the protocol without some pictures; skip questions that lose all answers.

        Questions whose query is removed are dropped.
        """
        gone = frozenset(unreadable)
        asked = [
            replace(question, relevant=question.relevant - gone)
            for question in self.questions
            if question.query not in gone
        ]
        answerable = tuple(question for question in asked if question.relevant)
        return replace(
            self,
            gallery=tuple(place for place in self.gallery if place not in gone),
            questions=answerable,
            skipped=self.skipped + len(asked) - len(answerable),
        )
