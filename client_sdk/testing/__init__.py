"""Assertions about pictures, for pytest and unittest; needs the extra `pytest`.

    from client_sdk import Client
    from client_sdk.testing import assert_similar

    with Client() as client:
        assert_similar(client, "actual.png", "expected.png", also_pixels=0.001)

In pytest the fixtures `visual`, `lookalike` and `lookalike_collection` need no import. For
`unittest` there is `VisualAssertions`.
"""

from importlib import import_module as _load
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from client_sdk.testing.assertions import (
        assert_known,
        assert_nearest,
        assert_new,
        assert_no_duplicates,
        assert_similar,
    )
    from client_sdk.testing.mismatch import BaselinesWritten, VisualMismatch
    from client_sdk.testing.mixin import VisualAssertions
    from client_sdk.testing.options import Options
    from client_sdk.testing.outcome import Neighbour, Outcome
    from client_sdk.testing.pictures import Box, VisualPicture
    from client_sdk.testing.pixels import PixelDifference, Pixels
    from client_sdk.testing.scratch import ScratchCollection
    from client_sdk.testing.visual import Visual
del TYPE_CHECKING

_HOMES = {
    "assertions": (
        "assert_known",
        "assert_nearest",
        "assert_new",
        "assert_no_duplicates",
        "assert_similar",
    ),
    "mismatch": ("BaselinesWritten", "VisualMismatch"),
    "mixin": ("VisualAssertions",),
    "options": ("Options",),
    "outcome": ("Neighbour", "Outcome"),
    "pictures": ("Box", "VisualPicture"),
    "pixels": ("PixelDifference", "Pixels"),
    "scratch": ("ScratchCollection",),
    "visual": ("Visual",),
}

__all__ = [
    "BaselinesWritten",
    "Box",
    "Neighbour",
    "Options",
    "Outcome",
    "PixelDifference",
    "Pixels",
    "ScratchCollection",
    "Visual",
    "VisualAssertions",
    "VisualMismatch",
    "VisualPicture",
    "assert_known",
    "assert_nearest",
    "assert_new",
    "assert_no_duplicates",
    "assert_similar",
]


def __getattr__(name: str) -> object:
    """Load a name on first use, because pytest imports this package in every suite."""
    for home, names in _HOMES.items():
        if name in names:
            return getattr(_load(f"{__name__}.{home}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
