"""What a filter is once it is read: a tree of frozen terms.

Whatever answers a filter, this is what its terms mean: a comparison is true only where the image
has a value of the same kind at that place. Where the key is missing, or holds another kind of
value, every comparison is false, `!=` and `not in` too; `not` turns any term round.
"""

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

Value = str | float | bool | datetime | None
"""What a field is compared with; every number is a float."""


@dataclass(frozen=True)
class Key:
    """A place in the metadata, as the keys on the way to it."""

    path: tuple[str, ...]


class Own(StrEnum):
    """A field that every image has by itself, as filters spell it."""

    ID = "$id"
    WIDTH = "$width"
    HEIGHT = "$height"
    BYTES = "$bytes"
    FORMAT = "$format"
    SHA256 = "$sha256"
    CREATED_AT = "$created_at"


Field = Key | Own


class Relation(StrEnum):
    """How two values are compared."""

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
"""What they do, to values and to columns of a table."""


class Affix(StrEnum):
    """Where a text has to stand in a value."""

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
    """`field like "text%"`: a string that begins with, ends with or holds the text."""

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
    """`exists key`: there is a value, whatever it is, null too."""

    key: Key


@dataclass(frozen=True)
class Not:
    """True where the term is false."""

    term: "Expression"


@dataclass(frozen=True)
class And:
    """True where all terms are."""

    terms: tuple["Expression", ...]


@dataclass(frozen=True)
class Or:
    """True where any term is."""

    terms: tuple["Expression", ...]


Expression = Compare | Among | Like | Contains | Exists | Not | And | Or
