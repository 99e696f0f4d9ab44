"""The assertions of `Visual` as functions, for any test runner; they write no files.

Each takes a client, then the arguments of the method of `Visual`. The path of a baseline is
relative to the working directory.
"""

from pathlib import Path

from client_sdk._sync.client import Client
from client_sdk.testing.derived import derived
from client_sdk.testing.options import Options
from client_sdk.testing.visual import Visual


def _visual(client: Client) -> Visual:
    return Visual(client, Options(baselines=Path()))


@derived(Visual.assert_similar, _visual)
def assert_similar() -> None:
    """Assert that a picture shows the same as another picture; see `Visual.assert_similar`."""


@derived(Visual.assert_looks_like, _visual)
def assert_looks_like() -> None:
    """Assert that a picture looks roughly like another one; see `Visual.assert_looks_like`."""


@derived(Visual.assert_nearest, _visual)
def assert_nearest() -> None:
    """Assert that one image of a collection is the nearest; see `Visual.assert_nearest`."""


@derived(Visual.assert_known, _visual)
def assert_known() -> None:
    """Assert that a picture is among other pictures; see `Visual.assert_known`."""


@derived(Visual.assert_new, _visual)
def assert_new() -> None:
    """Assert that a picture is not among other pictures; see `Visual.assert_new`."""


@derived(Visual.assert_no_duplicates, _visual)
def assert_no_duplicates() -> None:
    """Assert that no two pictures are the same; see `Visual.assert_no_duplicates`."""
