"""The assertions of `Visual` as functions, for any test runner; they write no files.

Each takes a client, then the arguments of the method of `Visual`. The path of a baseline is
relative to the working directory.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

from client_sdk._sync.client import Client
from client_sdk.testing.options import Options
from client_sdk.testing.visual import Visual

P = ParamSpec("P")
R = TypeVar("R")


def _of(
    assertion: Callable[Concatenate[Visual, P], R],
) -> Callable[[Callable[[], None]], Callable[Concatenate[Client, P], R]]:
    """Return a decorator that makes a function call an assertion of `Visual`."""

    def derive(named: Callable[[], None]) -> Callable[Concatenate[Client, P], R]:
        def function(client: Client, /, *arguments: P.args, **options: P.kwargs) -> R:
            __tracebackhide__ = True
            return assertion(Visual(client, Options(baselines=Path())), *arguments, **options)

        function.__name__, function.__doc__ = named.__name__, named.__doc__
        return function

    return derive


@_of(Visual.assert_similar)
def assert_similar() -> None:
    """Assert that a picture looks like another picture; see `Visual.assert_similar`."""


@_of(Visual.assert_nearest)
def assert_nearest() -> None:
    """Assert that one image of a collection is the nearest; see `Visual.assert_nearest`."""


@_of(Visual.assert_known)
def assert_known() -> None:
    """Assert that a picture is among other pictures; see `Visual.assert_known`."""


@_of(Visual.assert_new)
def assert_new() -> None:
    """Assert that a picture is not among other pictures; see `Visual.assert_new`."""


@_of(Visual.assert_no_duplicates)
def assert_no_duplicates() -> None:
    """Assert that no two pictures are the same; see `Visual.assert_no_duplicates`."""
