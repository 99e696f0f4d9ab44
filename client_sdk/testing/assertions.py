"""The same assertions as functions, for whatever runs tests; they write no files."""

from collections.abc import Iterable
from pathlib import Path

from client_sdk.client import Client
from client_sdk.testing.judging import Expected
from client_sdk.testing.options import Options
from client_sdk.testing.pictures import AnyBox, VisualPicture
from client_sdk.testing.visual import AlsoPixels, Among, Visual


def assert_similar(
    client: Client,
    actual: VisualPicture,
    baseline: VisualPicture,
    *,
    min_score: float | None = None,
    also_pixels: AlsoPixels = None,
    ignore: Iterable[AnyBox] = (),
    collection: str | None = None,
) -> float:
    """Assert that a picture looks like another one; see `Visual.assert_similar`.

    A relative path of a baseline begins at the folder at hand.
    """
    __tracebackhide__ = True
    return _plain(client).assert_similar(
        actual,
        baseline,
        min_score=min_score,
        also_pixels=also_pixels,
        ignore=ignore,
        collection=collection,
    )


def assert_nearest(
    client: Client,
    image: VisualPicture,
    expected: Expected,
    *,
    margin: float | None = None,
    collection: str | None = None,
) -> None:
    """Assert which image of a collection is the nearest; see `Visual.assert_nearest`."""
    __tracebackhide__ = True
    _plain(client).assert_nearest(image, expected, margin=margin, collection=collection)


def assert_known(
    client: Client,
    image: VisualPicture,
    among: Among | None = None,
    *,
    min_score: float | None = None,
) -> None:
    """Assert that a picture is among others; see `Visual.assert_known`."""
    __tracebackhide__ = True
    _plain(client).assert_known(image, among, min_score=min_score)


def assert_new(
    client: Client,
    image: VisualPicture,
    among: Among | None = None,
    *,
    min_score: float | None = None,
) -> None:
    """Assert that a picture is not among others; see `Visual.assert_new`."""
    __tracebackhide__ = True
    _plain(client).assert_new(image, among, min_score=min_score)


def assert_no_duplicates(client: Client, folder: Among, *, min_score: float | None = None) -> None:
    """Assert that no two pictures are the same; see `Visual.assert_no_duplicates`."""
    __tracebackhide__ = True
    _plain(client).assert_no_duplicates(folder, min_score=min_score)


def _plain(client: Client) -> Visual:
    return Visual(client, Options(baselines=Path()))
