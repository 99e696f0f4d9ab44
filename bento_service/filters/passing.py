"""Whether one image passes a filter, told from the image alone."""

import operator
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Protocol

from bento_service.filters.expressions import (
    RELATIONS,
    Affix,
    Among,
    And,
    Compare,
    Contains,
    Exists,
    Expression,
    Field,
    Like,
    Not,
    Or,
    Own,
    Relation,
    Value,
)
from bento_service.filters.values import Kind, comparable

_AFFIXES: dict[Affix, Callable[[str, str], bool]] = {
    Affix.PREFIX: str.startswith,
    Affix.SUFFIX: str.endswith,
    Affix.INFIX: operator.contains,
}
_MISSING = object()


class Picture(Protocol):
    """What is known of an image, such as an `ImageRecord`."""

    @property
    def id(self) -> int: ...  # noqa: D102
    @property
    def width(self) -> int: ...  # noqa: D102
    @property
    def height(self) -> int: ...  # noqa: D102
    @property
    def bytes(self) -> int: ...  # noqa: D102
    @property
    def format(self) -> str: ...  # noqa: D102
    @property
    def sha256(self) -> str: ...  # noqa: D102
    @property
    def created_at(self) -> datetime: ...  # noqa: D102
    @property
    def metadata(self) -> Mapping[str, Any]: ...  # noqa: D102


def passes(expression: Expression, picture: Picture) -> bool:
    """Whether an image is one of those that a filter names."""
    match expression:
        case Not(term):
            return not passes(term, picture)
        case And(terms):
            return all(passes(term, picture) for term in terms)
        case Or(terms):
            return any(passes(term, picture) for term in terms)
        case Exists(key):
            return _found(key, picture) is not _MISSING
        case Contains(key, value):
            held = _found(key, picture)
            return isinstance(held, list) and any(
                _compares(one, Relation.EQUAL, value) for one in held
            )
        case Compare(field, relation, value):
            return _compares(_found(field, picture), relation, value)
        case Among(field, values, inside):
            held = _found(field, picture)
            relation = Relation.EQUAL if inside else Relation.UNEQUAL
            compared = (_compares(held, relation, value) for value in values)
            return any(compared) if inside else all(compared)
        case Like(field, affix, text):
            kind, ready = comparable(_found(field, picture))
            return isinstance(ready, str) and kind is Kind.STRING and _AFFIXES[affix](ready, text)


def _found(field: Field, picture: Picture) -> Any:
    if isinstance(field, Own):
        return getattr(picture, field.name.lower())
    held: Any = picture.metadata
    for key in field.path:
        if not isinstance(held, Mapping) or key not in held:
            return _MISSING
        held = held[key]
    return held


def _compares(held: Any, relation: Relation, value: Value) -> bool:
    if isinstance(held, datetime):
        return bool(RELATIONS[relation](held, value))
    kind, ready = comparable(held)
    if kind is Kind.OTHER or kind is not comparable(value)[0]:
        return False
    return bool(RELATIONS[relation](ready, value))
