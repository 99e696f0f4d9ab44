"""What is asked and which answers are right, the same for every way of saying so."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from bento_service.pictures.formats import Region

MAX_PIXELS = 100_000_000
"""Larger pictures count as unreadable, as in the service unless it is set otherwise."""


@dataclass(frozen=True)
class Picture:
    """A picture to describe.

    Attributes:
        path: Its file.
        region: Only this part of the upright picture.
        changed: Makes the bytes that are described from those of the file; for edited copies.
    """

    path: Path
    region: Region | None = None
    changed: Callable[[bytes], bytes] | None = None

    def content(self) -> bytes:
        """The encoded picture."""
        content = self.path.read_bytes()
        return content if self.changed is None else self.changed(content)


@dataclass(frozen=True)
class Question:
    """One query. Numbers are places in `Protocol.pictures`.

    Attributes:
        query: The picture that is shown.
        relevant: The pictures of the gallery that should come first.
        left_out: Pictures that are taken out of this ranking, none of them relevant: the query
            itself, and those of which nobody can say whether they are relevant.
        unit: Questions of one unit are drawn together in the bootstrap.
        edit: How the query was made from its original, for copies.
    """

    query: int
    relevant: frozenset[int]
    left_out: frozenset[int]
    unit: int
    edit: str = ""


@dataclass(frozen=True)
class Protocol:
    """Pictures, which of them are searched, and the questions.

    Attributes:
        name: Of the way in which the questions were made.
        pictures: Gallery and queries.
        gallery: Places of the pictures that are searched.
        questions: At least one relevant picture each.
        skipped: How many queries have no relevant picture, and so no average precision.
        facts: What else people should know, such as the number of labels.
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
        pictures: Collection[Picture],
        gallery: Collection[int],
        questions: Collection[Question],
        facts: tuple[tuple[str, int], ...] = (),
    ) -> Self:
        """Keep the questions that have a relevant picture and count the others."""
        answerable = tuple(question for question in questions if question.relevant)
        return cls(
            name=name,
            pictures=tuple(pictures),
            gallery=tuple(gallery),
            questions=answerable,
            skipped=len(questions) - len(answerable),
            facts=facts,
        )

    @cached_property
    def _column_of(self) -> dict[int, int]:
        return {place: column for column, place in enumerate(self.gallery)}

    def among_gallery(self, places: Collection[int]) -> NDArray[np.bool_]:
        """(G,) which of the gallery's pictures, in its order, are among some places."""
        among = np.zeros(len(self.gallery), np.bool_)
        among[[self._column_of[place] for place in places if place in self._column_of]] = True
        return among

    def without(self, unreadable: Collection[int]) -> Self:
        """The same without some pictures; questions that this takes all answers from are skipped.

        Questions whose query is unreadable are gone: nobody could ask them.
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
