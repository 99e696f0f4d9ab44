"""The assertions for `unittest`."""

import inspect
import sys
from collections.abc import Iterable
from contextlib import AbstractContextManager
from functools import cache
from pathlib import Path
from typing import ClassVar
from unittest import SkipTest, TestCase

from client_sdk.client import Client
from client_sdk.errors import ConnectError, NotReady, TimeoutExceeded
from client_sdk.testing import report
from client_sdk.testing.baselines import Place
from client_sdk.testing.connecting import open_client
from client_sdk.testing.judging import Expected
from client_sdk.testing.likely import BaselineNeighbours
from client_sdk.testing.options import Options, from_environment
from client_sdk.testing.outcome import Outcome
from client_sdk.testing.pictures import AnyBox, VisualPicture
from client_sdk.testing.visual import AlsoPixels, Among, Visual


class VisualAssertions(TestCase):
    """The assertions of `Visual` as methods of a `TestCase`.

    The service is at `LOOKALIKE_URL`, the options are those of the environment, such as
    `LOOKALIKE_VISUAL_MIN_SCORE`; a class may set `visual_options` and `visual_client` instead.
    Failures leave their pictures and a report in `visual-report`. Under pytest the options are
    those of pytest, and failures are in its report.

        class TestShop(VisualAssertions):
            def test_the_shelf(self) -> None:
                self.assertSimilar("shelf.png", "shelf", also_pixels=0.001)
    """

    visual_options: ClassVar[Options | None] = None
    visual_client: ClassVar[Client | None] = None

    # Set by the plugin of pytest, which then writes the report.
    options_of_run: ClassVar[Options | None] = None
    url_of_run: ClassVar[str | None] = None
    is_reported_by_pytest: ClassVar[bool] = False

    bound_visual: Visual | None = None

    @property
    def visual(self) -> Visual:
        """The assertions, bound to this test."""
        if self.bound_visual is None:
            self.bound_visual = self._bound()
            self.addCleanup(_review, self.bound_visual)
        return self.bound_visual

    def assertSimilar(  # noqa: N802 - as unittest names them
        self,
        actual: VisualPicture,
        baseline: VisualPicture | None = None,
        *,
        min_score: float | None = None,
        also_pixels: AlsoPixels = None,
        ignore: Iterable[AnyBox] = (),
    ) -> float:
        """Assert that a picture looks like its baseline; see `Visual.assert_similar`."""
        __tracebackhide__ = True
        return self.visual.assert_similar(
            actual, baseline, min_score=min_score, also_pixels=also_pixels, ignore=ignore
        )

    def assertNearest(  # noqa: N802
        self,
        image: VisualPicture,
        expected: Expected,
        *,
        margin: float | None = None,
        collection: str | None = None,
    ) -> None:
        """Assert which image of a collection is the nearest; see `Visual.assert_nearest`."""
        __tracebackhide__ = True
        self.visual.assert_nearest(image, expected, margin=margin, collection=collection)

    def assertKnown(  # noqa: N802
        self, image: VisualPicture, among: Among | None = None, *, min_score: float | None = None
    ) -> None:
        """Assert that a picture is among others; see `Visual.assert_known`."""
        __tracebackhide__ = True
        self.visual.assert_known(image, among, min_score=min_score)

    def assertNew(  # noqa: N802
        self, image: VisualPicture, among: Among | None = None, *, min_score: float | None = None
    ) -> None:
        """Assert that a picture is not among others; see `Visual.assert_new`."""
        __tracebackhide__ = True
        self.visual.assert_new(image, among, min_score=min_score)

    def assertNoDuplicates(  # noqa: N802
        self, folder: Among, *, min_score: float | None = None
    ) -> None:
        """Assert that no two pictures are the same; see `Visual.assert_no_duplicates`."""
        __tracebackhide__ = True
        self.visual.assert_no_duplicates(folder, min_score=min_score)

    def softVisual(self) -> AbstractContextManager[None]:  # noqa: N802
        """Let assertions inside go on when they fail; see `Visual.soft`."""
        return self.visual.soft()

    def _bound(self) -> Visual:
        options = self.visual_options or self.options_of_run or from_environment()
        client = self.visual_client or self._opened(options)
        neighbours = BaselineNeighbours(client)
        self.addCleanup(neighbours.close)
        place = Place.of(Path(inspect.getfile(type(self))), self.id(), self.id().rpartition(".")[2])
        visual = Visual(client, options, place=place, keep=True, neighbours=neighbours)
        if not self.is_reported_by_pytest:
            self.addCleanup(_report, visual, options.report)
        return visual

    def _opened(self, options: Options) -> Client:
        try:
            client = open_client(self.url_of_run)
        except (ConnectError, TimeoutExceeded, NotReady) as error:
            if options.offline == "skip":
                raise SkipTest(str(error)) from error
            raise
        self.addCleanup(client.close)
        return client


def _review(visual: Visual) -> None:
    __tracebackhide__ = True
    written = visual.review()
    if written is not None:
        raise written


@cache
def _outcomes_of_this_process() -> list[Outcome]:
    return []


def _report(visual: Visual, folder: Path) -> None:
    outcomes = _outcomes_of_this_process()
    outcomes += visual.outcomes
    if any(not outcome.passed for outcome in visual.outcomes):
        sys.stderr.write(f"\nvisual report: {report.write(folder, outcomes)}\n")
