"""Checks of the arguments of public methods by their annotations.

`checked` makes every public method of a class raise `UsageError` for unknown names, missing
arguments and values of wrong types before it runs. Pictures are checked where they are read.
"""

import functools
import inspect
import json
import math
import operator
import sys
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from difflib import get_close_matches
from numbers import Real
from pathlib import PurePath
from types import NoneType, UnionType
from typing import Any, Literal, SupportsIndex, TypeGuard, TypeVar, Union, Unpack, cast

from client_sdk.errors import UsageError

T = TypeVar("T")
MAX_SHOWN = 60
_OTHERS = ("_", "model_")  # private methods, and those of pydantic

_NAMES: dict[Any, str] = {
    int: "whole number",
    float: "finite number",
    str: "text",
    PurePath: "path object",
    Mapping: "mapping such as {'shop': 'north'}",
    Callable: "function",
}
_LISTS = (Iterable, Sequence)


class _WrongType(Exception):
    """A value, or an item of it, is not of the annotated type; the error has it as its argument."""


class _Omitted:
    def __repr__(self) -> str:
        return "..."


def checked(kind: type[T]) -> type[T]:
    """Make the constructor and the public methods of a class check their arguments."""
    for name, member in list(vars(kind).items()):
        if isinstance(member, classmethod):
            setattr(kind, name, classmethod(_checked(kind, cast("Any", member).__func__)))
        elif inspect.isfunction(member) and (name == "__init__" or not name.startswith(_OTHERS)):
            setattr(kind, name, _checked(kind, member))
    return kind


def _checked(kind: type, function: Callable[..., Any]) -> Callable[..., Any]:
    signature, name = _signature(function), function.__name__
    method = kind.__name__ if name == "__init__" else name

    def call(*arguments: Any, **options: Any) -> Any:
        bound = _bound(method, signature, arguments, options)
        return function(*bound.args, **bound.kwargs)

    async def async_call(*arguments: Any, **options: Any) -> Any:
        return await call(*arguments, **options)

    wrapper: Any = async_call if inspect.iscoroutinefunction(function) else call
    functools.update_wrapper(wrapper, function)
    wrapper.__signature__ = signature
    return cast("Callable[..., Any]", wrapper)


def _signature(function: Callable[..., Any]) -> inspect.Signature:
    """Return the signature, with the keywords of an `Unpack[TypedDict]` as its parameters."""
    signature = inspect.signature(function)
    *parameters, last = signature.parameters.values()
    if typing.get_origin(last.annotation) is not Unpack:
        return signature
    (keywords,) = typing.get_args(last.annotation)
    options = (
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=_Omitted(), annotation=kind)
        for name, kind in typing.get_type_hints(keywords).items()
    )
    return signature.replace(parameters=[*parameters, *options])


def _bound(
    method: str, signature: inspect.Signature, arguments: tuple[Any, ...], options: dict[str, Any]
) -> inspect.BoundArguments:
    names = list(signature.parameters)
    for name in options:
        if name not in names:
            near = get_close_matches(name, names, 1)
            hint = f"did you mean {near[0]}?" if near else f"it has {', '.join(names[1:])}"
            raise UsageError(f"{method}() has no option {name!r}; {hint}")
    try:
        bound = signature.bind(*arguments, **options)
    except TypeError as error:
        raise UsageError(f"{method}() cannot be called like that: {error}") from None
    for name, value in list(bound.arguments.items()):
        annotation = signature.parameters[name].annotation
        if annotation is not inspect.Parameter.empty:  # that of `self`
            bound.arguments[name] = fitting(name, value, annotation)
    return bound


def fitting(name: str, value: Any, annotation: Any) -> Any:
    """Return an argument as its annotated type: NumPy's numbers as Python's, iterables as lists."""
    try:
        return _fit(value, annotation)
    except _WrongType as error:
        (unfit,) = error.args
        verb = "is" if unfit is value else "has"
        shown = f"of type {type(value).__name__}" if name == "token" else shortened(unfit)
        raise UsageError(f"{name} {verb} {shown}; give {_described(annotation)}") from None


def shortened(value: object) -> str:
    """Return the beginning of the representation of a value, for messages."""
    try:
        return f"{value!r:.{MAX_SHOWN}}"
    except Exception:  # noqa: BLE001 - a caller's object may do anything
        return f"a {type(value).__name__}"


def _fit(value: Any, annotation: Any) -> Any:
    kind = typing.get_origin(annotation) or annotation
    inner = typing.get_args(annotation)
    if kind in (Union, UnionType):
        return _fit_one_of(value, inner)
    if kind is Literal:
        return _required(value, isinstance(value, str) and value in inner)
    if kind in (int, float):
        return _number(value, kind)
    if kind is Any or not isinstance(kind, type) or _is_protocol(kind):
        return value
    if kind in _LISTS:
        return [_fit(item, inner[0]) for item in _required(value, is_list(value))]
    _required(value, isinstance(value, kind))
    if kind is Mapping:
        return {_fit(name, inner[0]): _fit(one, inner[1]) for name, one in value.items()}
    return value


def is_list(value: Any) -> TypeGuard[Iterable[object]]:
    """Return True for an iterable other than text, bytes, a mapping or a file."""
    is_single = isinstance(value, str | bytes | bytearray | memoryview | Mapping)
    try:
        return not (is_single or hasattr(value, "read")) and iter(value) is not None
    except Exception:  # noqa: BLE001 - a caller's object may do anything
        return False


def _fit_one_of(value: Any, kinds: tuple[Any, ...]) -> Any:
    if any(map(_is_protocol, kinds)):
        return value  # a picture; the code that reads it knows its types
    unfit = value
    for kind in kinds:
        try:
            return _fit(value, kind)
        except _WrongType as error:
            unfit = error.args[0] if unfit is value else unfit
    raise _WrongType(unfit)


def _is_protocol(kind: Any) -> bool:
    return bool(getattr(kind, "_is_protocol", False))


def _required(value: T, is_fit: object) -> T:
    if not is_fit:
        raise _WrongType(value)
    return value


def _number(value: Any, kind: type[int | float]) -> int | float:
    number: int | float | None = whole_number(value)
    is_real = not isinstance(value, bool) and isinstance(value, Real)
    if number is None and kind is float and is_real and math.isfinite(value):
        number = float(value)
    if number is None or (kind is float and abs(number) > sys.float_info.max):
        raise _WrongType(value)
    return number


def whole_number(value: object) -> int | None:
    """Return an integer, also of NumPy, as Python's; `None` for other values."""
    if isinstance(value, bool) or not isinstance(value, SupportsIndex):
        return None
    try:
        return operator.index(value)
    except Exception:  # noqa: BLE001 - arrays with dimensions, and objects of callers
        return None


def _described(annotation: Any, ending: str = "") -> str:
    kind = typing.get_origin(annotation) or annotation
    inner = typing.get_args(annotation)
    if kind in (Union, UnionType):
        if any(map(_is_protocol, inner)):
            return "pictures" if ending else "a picture"
        named = (_described(one, ending) for one in inner if one is not NoneType)
        return " or ".join(dict.fromkeys(named))
    if kind in _LISTS:
        return f"a list of {_described(inner[0], 's')}"
    if kind is Literal:
        return " or ".join(map(repr, inner))
    if kind is bool:
        return "True or False"
    kinds: tuple[Any, ...] = getattr(kind, "__mro__", ())
    own = str(getattr(kind, "__name__", kind))
    name = next((_NAMES[one] for one in kinds if one in _NAMES), own)
    return f"{name}s" if ending else f"a {name}"


def check_least(least: int, **numbers: float) -> None:
    """Raise a `UsageError` that names the first number below `least`."""
    for name, number in numbers.items():
        if number < least:
            raise UsageError(f"{name} is {number:g}; give {least} or more")


def json_text(name: str, value: object) -> str:
    """Return a value as JSON."""
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False)
        text.encode()
    except (TypeError, ValueError, RecursionError) as error:
        reason = f"which cannot be written as JSON: {error}"
        raise UsageError(f"{name} is {shortened(value)}, {reason}") from error
    return text


def check_json(name: str, values: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return metadata unchanged, after checking that each value can be written as JSON."""
    for key, value in values.items():
        json_text(f"{name}[{key!r}]", value)
    return values
