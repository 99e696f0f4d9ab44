"""The strict types of request fields, and their conversion from the text of a form.

A JSON body must have the types of the contract: a string of digits is not a number, and a string is
not a list. A form has only text, so `Request.from_form` reads numbers, booleans and lists from it.
"""

import json
import re
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Self, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, Strict, ValidationInfo
from pydantic_core import PydanticCustomError

_FORM = "form"
_WHOLE = re.compile(r"-?[0-9]{1,40}")
_REAL = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_TRUTH_VALUES = {"true": True, "1": True, "false": False, "0": False}
_MAX_SHOWN = 60

ItemT = TypeVar("ItemT")


def _wrong(value: object, advice: str) -> PydanticCustomError:
    shown = json.dumps(value, ensure_ascii=False, default=repr)
    if len(shown) > _MAX_SHOWN:
        shown = f"{shown[:_MAX_SHOWN]}..."
    context: dict[str, Any] = {"given": shown, "advice": advice}
    return PydanticCustomError("wrong_type", "is {given}; give {advice}", context)


def _whole(value: object, info: ValidationInfo) -> object:
    if info.context == _FORM and isinstance(value, str) and _WHOLE.fullmatch(value):
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise _wrong(value, "a whole number, such as 12")
    return value


def _real(value: object, info: ValidationInfo) -> object:
    if info.context == _FORM and isinstance(value, str) and _REAL.fullmatch(value):
        return float(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _wrong(value, "a number, such as 0.5")
    return value


def _flag(value: object, info: ValidationInfo) -> object:
    if info.context == _FORM and isinstance(value, str) and value.lower() in _TRUTH_VALUES:
        return _TRUTH_VALUES[value.lower()]
    if not isinstance(value, bool):
        raise _wrong(value, "true or false")
    return value


def _list(value: object, info: ValidationInfo) -> object:
    if info.context == _FORM and isinstance(value, str):
        return [part.strip() for part in value.split(",")]
    if not isinstance(value, list | tuple):
        raise _wrong(value, "a list, such as [1, 2]")
    return value  # pyright: ignore[reportUnknownVariableType]


Name = Annotated[str, Field(max_length=255)]
Whole = Annotated[int, BeforeValidator(_whole)]
Real = Annotated[float, BeforeValidator(_real)]
Flag = Annotated[bool, BeforeValidator(_flag)]
# Not strict itself, because a JSON list becomes a tuple; its items stay strict.
Listed = Annotated[tuple[ItemT, ...], BeforeValidator(_list), Strict(strict=False)]
Region = Annotated[tuple[Whole, Whole, Whole, Whole], BeforeValidator(_list), Strict(strict=False)]


class Request(BaseModel):
    """The base class of requests; an unknown field or a value of a wrong type is an error."""

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True, extra="forbid", strict=True)

    @classmethod
    def from_form(cls, fields: Mapping[str, object]) -> Self:
        """Return the request of a form, in which numbers, booleans and lists are text.

        Raises:
            ValidationError: If a field is unknown, or its text is not of the field's type.
        """
        return cls.model_validate(fields, context=_FORM)
