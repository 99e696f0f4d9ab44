"""Assertions about pictures, for pytest and unittest; needs the extra `pytest`.

    from client_sdk import Client
    from client_sdk.testing import assert_similar

    with Client() as client:
        assert_similar(client, "actual.png", "expected.png")

In pytest the fixtures `visual`, `lookalike` and `lookalike_collection` need no import. For
`unittest` there is `VisualAssertions`.
"""

from importlib import import_module as _load
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from client_sdk.testing._exports import *  # noqa: F403
    from client_sdk.testing._exports import __all__ as __all__
del TYPE_CHECKING


def __getattr__(name: str) -> object:
    """Load the public names on first use, because pytest imports this package in every suite."""
    if name == "__all__" or not name.startswith("_"):
        exports = _load(f"{__name__}._exports")
        if name == "__all__" or name in exports.__all__:
            return getattr(exports, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
