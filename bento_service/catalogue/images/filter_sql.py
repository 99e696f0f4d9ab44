"""Filters as SQL conditions on `images`, the same for every database; values are always bound.

The values of the metadata are rows of `attributes`, so a term is the set of images that have a
row with its place, kind and value, which an SQL index finds. No term is ever NULL.
"""

from typing import Any

from sqlalchemy import ColumnElement, Double, and_, func, literal, not_, or_, select, true

from bento_service.catalogue.tables import attributes, images
from bento_service.filters import expressions as ex
from bento_service.filters.values import Kind, comparable, elements, place

Condition = ColumnElement[bool]
_LAST = "\U0010ffff"
_AFTER_SURROGATES = "\ue000"


def condition(expression: ex.Expression, collection_id: int) -> Condition:
    """Return the SQL condition that images of a collection pass a filter."""
    match expression:
        case ex.Not(term):
            return not_(condition(term, collection_id))
        case ex.And(terms):
            return and_(*(condition(term, collection_id) for term in terms))
        case ex.Or(terms):
            return or_(*(condition(term, collection_id) for term in terms))
        case ex.Exists(key):
            return _having(collection_id, place(key.path))
        case ex.Contains(key, value):
            where = _compared(ex.Relation.EQUAL, value)
            return _having(collection_id, elements(key.path), *where)
        case ex.Compare(ex.Key(path), relation, value):
            return _having(collection_id, place(path), *_compared(relation, value))
        case ex.Among(ex.Key(path), values, inside):
            return _having(collection_id, place(path), *_among(values, inside=inside))
        case ex.Like(ex.Key(path), affix, text):
            return _having(collection_id, place(path), *_like(affix, text))
        case _:
            return _own_field(expression)


def _having(collection_id: int, where: str, *conditions: Condition) -> Condition:
    """Return the condition that an image has an attribute at a place that meets all conditions."""
    return images.c.id.in_(
        select(attributes.c.image_id).where(
            attributes.c.collection_id == collection_id, attributes.c.place == where, *conditions
        )
    )


def _compared(relation: ex.Relation, value: ex.Value) -> tuple[Condition, ...]:
    """Return the conditions that an attribute has a value's kind and a relation to the value."""
    kind, ready = comparable(value)
    if kind is Kind.STRING:
        return (attributes.c.text.is_not(None), _related(attributes.c.text, relation, ready))
    if kind is Kind.NULL:
        return (attributes.c.kind == kind,)
    number = _number(float(ready))  # type: ignore[arg-type]  # a number or a boolean
    return (attributes.c.kind == kind, _related(attributes.c.number, relation, number))


def _among(values: tuple[ex.Value, ...], *, inside: bool) -> tuple[Condition, ...]:
    kind, _ = comparable(values[0])
    column = attributes.c.text if kind is Kind.STRING else attributes.c.number
    known = column.is_not(None) if kind is Kind.STRING else attributes.c.kind == kind
    return (known, column.in_(values) if inside else column.not_in(values))


def _like(affix: ex.Affix, text: str) -> tuple[Condition, ...]:
    string = attributes.c.text
    if affix is not ex.Affix.PREFIX or not text:
        return (string.is_not(None), _affixed(string, affix, text))
    # Databases compare code points here, so the strings with a prefix are a range of an index.
    above = _next_text(text)
    return (string >= text, string < above) if above else (string >= text,)


def _next_text(prefix: str) -> str:
    """Return the first string after all that begin with a prefix; empty if there is none."""
    kept = prefix.rstrip(_LAST)
    if not kept:
        return ""
    letter = chr(ord(kept[-1]) + 1)
    return kept[:-1] + (_AFTER_SURROGATES if letter == "\ud800" else letter)


def _own_field(expression: ex.Expression) -> Condition:
    """Return the condition of a term on one of the image's own fields."""
    match expression:
        case ex.Compare(field, relation, value):
            return _related(_column(field), relation, _bound(value))
        case ex.Among(field, values, inside):
            bound = [_bound(value) for value in values]
            return _column(field).in_(bound) if inside else _column(field).not_in(bound)
        case ex.Like(field, affix, text):
            return _affixed(_column(field), affix, text)
    raise TypeError(f"{expression!r} is no term on an image's own field")


def _column(field: ex.Field) -> ColumnElement[Any]:
    if isinstance(field, ex.Key):
        raise TypeError(f"{field!r} is a place in the metadata")
    return images.c[field.name.lower()]


def _bound(value: ex.Value) -> Any:
    """Bind a value; fractions must not become integers when the column holds integers."""
    return _number(value) if isinstance(value, float) else value


def _number(value: float) -> ColumnElement[float]:
    return literal(value, Double())


def _related(column: ColumnElement[Any], relation: ex.Relation, value: Any) -> Condition:
    related: Condition = ex.RELATIONS[relation](column, value)
    return related


def _affixed(column: ColumnElement[Any], affix: ex.Affix, text: str) -> Condition:
    """Compare without LIKE, which ignores case in SQLite and needs escapes of its own."""
    size = len(text)
    if size == 0:
        return true()
    match affix:
        case ex.Affix.PREFIX:
            return func.substr(column, 1, size) == text
        case ex.Affix.SUFFIX:
            start = func.length(column) - size + 1
            return and_(start > 0, func.substr(column, start) == text)
        case ex.Affix.INFIX:
            return func.replace(column, text, "") != column
