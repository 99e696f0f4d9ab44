"""The syntax tree of a filter: frozen terms, with the same meaning for everything that filters.

A comparison is true only if the image has a value of the same kind at that place. If the key is
missing or has another kind of value, every comparison is false, also `!=` and `not in`; `not`
negates any term.
"""

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

Value = str | float | bool | datetime | None
"""A value that a field is compared with; every number is a float."""


@dataclass(frozen=True)
class Key:
    """A place in the metadata, as the path of keys."""

    path: tuple[str, ...]


class Own(StrEnum):
    """A field that every image has, as filters spell it."""

    ID = "$id"
    WIDTH = "$width"
    HEIGHT = "$height"
    BYTES = "$bytes"
    FORMAT = "$format"
    SHA256 = "$sha256"
    CREATED_AT = "$created_at"


Field = Key | Own


class Relation(StrEnum):
    """The comparison operators."""

    EQUAL = "=="
    UNEQUAL = "!="
    BELOW = "<"
    AT_MOST = "<="
    ABOVE = ">"
    AT_LEAST = ">="


RELATIONS: Mapping[Relation, Callable[[Any, Any], Any]] = {
    Relation.EQUAL: operator.eq,
    Relation.UNEQUAL: operator.ne,
    Relation.BELOW: operator.lt,
    Relation.AT_MOST: operator.le,
    Relation.ABOVE: operator.gt,
    Relation.AT_LEAST: operator.ge,
}
"""The operators as functions of values or of columns of a table."""


class Affix(StrEnum):
    """The part of a value that a text is compared with."""

    PREFIX = "prefix"
    SUFFIX = "suffix"
    INFIX = "infix"


@dataclass(frozen=True)
class Compare:
    """`field relation value`. Booleans and null know `==` only, booleans also `!=`."""

    field: Field
    relation: Relation
    value: Value


@dataclass(frozen=True)
class Among:
    """`field in [values]`, or `not in`; the values are all numbers, all strings or all moments."""

    field: Field
    values: tuple[Value, ...]
    inside: bool


@dataclass(frozen=True)
class Like:
    """`field like "text%"`: a string that begins with, ends with or contains the text."""

    field: Field
    affix: Affix
    text: str


@dataclass(frozen=True)
class Contains:
    """`key contains value`: a list with that element."""

    key: Key
    value: Value


@dataclass(frozen=True)
class Exists:
    """`exists key`: there is any value, also null."""

    key: Key


@dataclass(frozen=True)
class Not:
    """True if the term is false."""

    term: "Expression"


@dataclass(frozen=True)
class And:
    """True if all terms are."""

    terms: tuple["Expression", ...]


@dataclass(frozen=True)
class Or:
    """True if any term is."""

    terms: tuple["Expression", ...]


Expression = Compare | Among | Like | Contains | Exists | Not | And | Or
