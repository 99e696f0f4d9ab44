"""The parser of filters: text to a syntax tree, or an error at the position of the mistake."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from math import isfinite
from typing import NoReturn
from unicodedata import normalize

from bento_service.errors import InvalidArgument
from bento_service.filters import expressions as ex
from bento_service.filters.values import MAX_PLACE, MAX_TEXT, is_comparable, place

MAX_LENGTH = 8000
"""Characters of a filter."""
MAX_DEPTH = 20
"""Nested parentheses and `not`."""
MAX_TERMS = 100
"""Comparisons in a filter."""
MAX_VALUES = 500
"""Values in a list."""

_TOKEN = re.compile(
    r"""\s*(?:(?P<number>-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)
      | (?P<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
      | (?P<own>\$\w*)
      | (?P<word>[^\W\d]\w*)
      | (?P<sign><=|>=|==|!=|[<>()\[\],.])
      | (?P<end>\Z))""",
    re.VERBOSE | re.DOTALL,
)
_ESCAPES = {"n": "\n", "t": "\t", "\\": "\\", '"': '"', "'": "'"}
_KEYWORDS = {"and", "or", "not", "in", "like", "contains", "exists", "true", "false", "null"}
_CONSTANTS: dict[str, ex.Value] = {"true": True, "false": False, "null": None}
_HINTS = {"=": "use `==`", "&": "use `and`", "|": "use `or`", "!": "use `not`"}
_OWN_NUMBERS = {ex.Own.ID, ex.Own.WIDTH, ex.Own.HEIGHT, ex.Own.BYTES}
_OWN_STRINGS = {ex.Own.FORMAT, ex.Own.SHA256}


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str
    position: int


def parse(text: str) -> ex.Expression:
    """Parse a filter, see `docs/filters.md`, or raise `InvalidArgument` with the position."""
    if len(text) > MAX_LENGTH:
        raise InvalidArgument(f"filter: has {len(text)} characters; at most {MAX_LENGTH}")
    return _Parser(_tokens(text)).parse()


def _tokens(text: str) -> list[_Token]:
    tokens: list[_Token] = []
    at = 0
    while not tokens or tokens[-1].kind != "end":
        found = _TOKEN.match(text, at)
        if found is None:
            at = len(text) - len(text[at:].lstrip())
            _reject(_explain_unknown(text[at]), at)
        kind = str(found.lastgroup)
        start, at = found.span(kind)
        word = found[kind]
        if kind == "word" and word.lower() in _KEYWORDS:
            kind, word = "sign", word.lower()
        tokens.append(_Token(kind, word, start))
    return tokens


def _explain_unknown(letter: str) -> str:
    if letter in "\"'":
        return "a string begins that does not end"
    hint = f"; {_HINTS[letter]}" if letter in _HINTS else ""
    return f"{letter!a} is not understood{hint}"


def _reject(what: str, position: int) -> NoReturn:
    raise InvalidArgument(f"filter: {what}, at character {position + 1}")


class _Parser:
    """A recursive descent parser; each method reads the construct that it is named after."""

    def __init__(self, tokens: list[_Token]) -> None:
        self._tokens = tokens
        self._at = 0
        self._depth = 0
        self._terms = 0

    @property
    def _next(self) -> _Token:
        return self._tokens[self._at]

    def _take(self) -> _Token:
        token = self._next
        self._at += token.kind != "end"
        return token

    def _take_if(self, sign: str) -> bool:
        found = self._next.kind == "sign" and self._next.text == sign
        self._at += found
        return found

    def _require(self, sign: str) -> None:
        if not self._take_if(sign):
            self._fail_expecting(f"`{sign}`")

    def _fail_expecting(self, what: str) -> NoReturn:
        found = self._next
        seen = "the end" if found.kind == "end" else f"{found.text[:40]!a}"
        _reject(f"expected {what}, found {seen}", found.position)

    def parse(self) -> ex.Expression:
        expression = self._or()
        if self._next.kind != "end":
            self._fail_expecting("`and`, `or` or the end")
        return expression

    def _or(self) -> ex.Expression:
        first, *more = self._joined("or", self._and)
        return ex.Or((first, *more)) if more else first

    def _and(self) -> ex.Expression:
        first, *more = self._joined("and", self._unary)
        return ex.And((first, *more)) if more else first

    def _joined(self, sign: str, read: Callable[[], ex.Expression]) -> list[ex.Expression]:
        terms = [read()]
        while self._take_if(sign):
            terms.append(read())
        return terms

    def _unary(self) -> ex.Expression:
        start = self._next.position
        self._depth += 1
        if self._depth > MAX_DEPTH:
            _reject(f"more than {MAX_DEPTH} parentheses and `not` inside each other", start)
        expression: ex.Expression
        if self._take_if("not"):
            expression = ex.Not(self._unary())
        elif self._take_if("("):
            expression = self._or()
            self._require(")")
        else:
            expression = self._term()
        self._depth -= 1
        return expression

    def _term(self) -> ex.Expression:
        start = self._next.position
        self._terms += 1
        if self._terms > MAX_TERMS:
            _reject(f"more than {MAX_TERMS} comparisons", start)
        if self._take_if("exists"):
            return ex.Exists(self._key("`exists`"))
        field = self._field()
        if self._take_if("contains"):
            if not isinstance(field, ex.Key):
                _reject(f"`{field}` is no list", start)
            return ex.Contains(field, self._value(field))
        if self._take_if("like"):
            return self._like(field)
        if self._take_if("not"):
            self._require("in")
            return ex.Among(field, self._list(field), inside=False)
        if self._take_if("in"):
            return ex.Among(field, self._list(field), inside=True)
        return self._comparison(field)

    def _comparison(self, field: ex.Field) -> ex.Compare:
        if self._next.kind != "sign" or self._next.text not in set(ex.Relation):
            self._fail_expecting("a comparison: == != < <= > >= in, not in, like, contains")
        sign = self._take()
        relation = ex.Relation(sign.text)
        value = self._value(field)
        if value is None and relation is not ex.Relation.EQUAL:
            _reject("null knows `==` only; use `exists` or `not ... == null`", sign.position)
        if isinstance(value, bool) and relation not in (ex.Relation.EQUAL, ex.Relation.UNEQUAL):
            _reject("true and false know `==` and `!=` only", sign.position)
        if field in _OWN_STRINGS and relation not in (ex.Relation.EQUAL, ex.Relation.UNEQUAL):
            _reject(f"`{field}` knows ==, !=, in and like only", sign.position)
        return ex.Compare(field, relation, value)

    def _field(self) -> ex.Field:
        token = self._next
        if token.kind != "own":
            return self._key("a comparison")
        if token.text not in set(ex.Own):
            _reject(f"{token.text[:40]!a} is none of {', '.join(ex.Own)}", token.position)
        return ex.Own(self._take().text)

    def _key(self, user: str) -> ex.Key:
        start = self._next.position
        path = [self._name(user)]
        while self._take_if("."):
            path.append(self._name(user))
        if len(place(path)) > MAX_PLACE:
            _reject(f"the name is longer than {MAX_PLACE} characters", start)
        return ex.Key(tuple(path))

    def _name(self, user: str) -> str:
        if self._next.kind not in ("word", "text"):
            self._fail_expecting(f"a name for {user}")
        token = self._take()
        return token.text if token.kind == "word" else _unquoted(token)

    def _list(self, field: ex.Field) -> tuple[ex.Value, ...]:
        self._require("[")
        start = self._next.position
        values = [self._value(field)]
        while self._take_if(","):
            values.append(self._value(field))
        self._require("]")
        if len(values) > MAX_VALUES:
            _reject(f"the list has more than {MAX_VALUES} values", start)
        if len({type(value) for value in values}) > 1 or isinstance(values[0], bool | None):
            _reject("a list holds either numbers or strings", start)
        return tuple(values)

    def _value(self, field: ex.Field) -> ex.Value:
        token = self._next
        value: ex.Value
        if token.kind == "number":
            value = float(self._take().text)
            if not isfinite(value):
                _reject("the number is too large", token.position)
        elif token.kind == "text":
            value = _composed(self._take())
        elif token.kind == "sign" and token.text in _CONSTANTS:
            value = _CONSTANTS[self._take().text]
        else:
            self._fail_expecting("a number, a string, true, false or null")
        return value if isinstance(field, ex.Key) else _own_value(field, value, token.position)

    def _like(self, field: ex.Field) -> ex.Like | ex.Compare:
        token = self._next
        if token.kind != "text":
            self._fail_expecting("a pattern in quotes")
        if isinstance(field, ex.Own) and field not in _OWN_STRINGS:
            _reject(f"`{field}` is no string, so it knows no `like`", token.position)
        pattern = _composed(self._take())
        text = pattern.removesuffix("%") if pattern != "%" else ""
        begins, ends = pattern.endswith("%"), text.startswith("%")
        text = text.removeprefix("%")
        if "%" in text:
            _reject("`%` stands at the beginning or at the end of a pattern", token.position)
        if not begins and not ends:
            return ex.Compare(field, ex.Relation.EQUAL, text)
        affix = (
            ex.Affix.INFIX if begins and ends else ex.Affix.PREFIX if begins else ex.Affix.SUFFIX
        )
        return ex.Like(field, affix, text)


def _own_value(field: ex.Own, value: ex.Value, position: int) -> ex.Value:
    if field in _OWN_NUMBERS:
        if isinstance(value, float):
            return value
        _reject(f"`{field}` is compared with numbers", position)
    if not isinstance(value, str):
        _reject(f"`{field}` is compared with strings", position)
    return _moment(value, position) if field is ex.Own.CREATED_AT else value


def _moment(text: str, position: int) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        _reject("that is no date like 2026-01-31 or 2026-01-31T12:00:00+01:00", position)


def _composed(token: _Token) -> str:
    """Return a string in the normal form in which texts are compared; see `comparable`."""
    return normalize("NFC", _unquoted(token))


def _unquoted(token: _Token) -> str:
    def letter(found: re.Match[str]) -> str:
        if found[1] not in _ESCAPES:
            _reject(f"{found[0]!a} stands for nothing", token.position + 1 + found.start())
        return _ESCAPES[found[1]]

    text = re.sub(r"\\(.)", letter, token.text[1:-1], flags=re.DOTALL)
    if not is_comparable(text):
        _reject(
            f"strings have at most {MAX_TEXT} characters, all of them valid Unicode without NUL",
            token.position,
        )
    return text
