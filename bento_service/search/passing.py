"""Evaluation of a filter for one image, without the database."""

import operator
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from bento_service.catalogue.records import ImageRecord
from bento_service.filters import expressions as ex
from bento_service.filters.values import Kind, comparable

_AFFIXES: dict[ex.Affix, Callable[[str, str], bool]] = {
    ex.Affix.PREFIX: str.startswith,
    ex.Affix.SUFFIX: str.endswith,
    ex.Affix.INFIX: operator.contains,
}
_MISSING = object()


def passes(expression: ex.Expression, image: ImageRecord) -> bool:
    """Return true if an image passes a filter."""
    match expression:
        case ex.Not(term):
            return not passes(term, image)
        case ex.And(terms):
            return all(passes(term, image) for term in terms)
        case ex.Or(terms):
            return any(passes(term, image) for term in terms)
        case ex.Exists(key):
            return _value(key, image) is not _MISSING
        case ex.Contains(key, value):
            elements = _value(key, image)
            return isinstance(elements, list) and any(
                _compares(element, ex.Relation.EQUAL, value) for element in elements
            )
        case ex.Compare(field, relation, value):
            return _compares(_value(field, image), relation, value)
        case ex.Among(field, values, inside):
            present = _value(field, image)
            relation = ex.Relation.EQUAL if inside else ex.Relation.UNEQUAL
            compared = (_compares(present, relation, value) for value in values)
            return any(compared) if inside else all(compared)
        case ex.Like(field, affix, text):
            kind, ready = comparable(_value(field, image))
            return isinstance(ready, str) and kind is Kind.STRING and _AFFIXES[affix](ready, text)


def _value(field: ex.Field, image: ImageRecord) -> Any:
    if isinstance(field, ex.Own):
        return getattr(image, field.name.lower())
    value: Any = image.metadata
    for key in field.path:
        if not isinstance(value, Mapping) or key not in value:
            return _MISSING
        value = value[key]
    return value


def _compares(present: Any, relation: ex.Relation, value: ex.Value) -> bool:
    if isinstance(present, datetime):
        return bool(ex.RELATIONS[relation](present, value))
    kind, ready = comparable(present)
    if kind is Kind.OTHER or kind is not comparable(value)[0]:
        return False
    return bool(ex.RELATIONS[relation](ready, value))
