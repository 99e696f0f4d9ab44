"""Functions and methods that call an assertion of `Visual`, with its parameters."""

from collections.abc import Callable
from typing import Concatenate, ParamSpec, TypeVar

from client_sdk.testing.visual import Visual

P = ParamSpec("P")
R = TypeVar("R")
OwnerT = TypeVar("OwnerT")


def derived(
    assertion: Callable[Concatenate[Visual, P], R], visual_of: Callable[[OwnerT], Visual]
) -> Callable[[Callable[..., None]], Callable[Concatenate[OwnerT, P], R]]:
    """Return a decorator that makes a function call an assertion of the `Visual` of its owner."""

    def derive(named: Callable[..., None]) -> Callable[Concatenate[OwnerT, P], R]:
        def function(owner: OwnerT, /, *arguments: P.args, **options: P.kwargs) -> R:
            __tracebackhide__ = True
            return assertion(visual_of(owner), *arguments, **options)

        function.__name__, function.__doc__ = named.__name__, named.__doc__
        return function

    return derive
