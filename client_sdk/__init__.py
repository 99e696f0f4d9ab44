"""The typed Python client of Lookalike."""

from importlib import import_module as _load
from importlib.util import find_spec as _spec_of
from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from client_sdk._exports import *  # noqa: F403
    from client_sdk._exports import __all__ as __all__
del TYPE_CHECKING


def __getattr__(name: str) -> object:
    """Load the client on first use.

    Wherever this package is installed, pytest imports it in every suite, because of the plugin. A
    suite that does not use it must not wait for the import of httpx and pydantic.
    """
    if name == "__all__" or not (name.startswith("_") or _spec_of(f"{__name__}.{name}")):
        public = vars(_load("client_sdk._exports"))
        globals().update({each: public[each] for each in ("__all__", *public["__all__"])})
        if name in globals():
            return globals()[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """List the public names, for shells and editors."""
    return [*_load("client_sdk._exports").__all__, "__version__"]
