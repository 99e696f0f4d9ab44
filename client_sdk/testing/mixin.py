"""The assertions as a `TestCase` for `unittest`."""

import inspect
import sys
from functools import cache
from pathlib import Path
from typing import ClassVar
from unittest import SkipTest, TestCase

from client_sdk._sync.client import Client
from client_sdk.errors import ConnectError, NotReady, TimeoutExceeded
from client_sdk.testing import report
from client_sdk.testing.baselines import Place
from client_sdk.testing.connecting import open_client
from client_sdk.testing.derived import derived
from client_sdk.testing.likely import BaselineNeighbours
from client_sdk.testing.options import Options, from_environment
from client_sdk.testing.outcome import Outcome
from client_sdk.testing.visual import Visual


def _visual(test: "VisualAssertions") -> Visual:
    return test.visual


class VisualAssertions(TestCase):
    """The assertions of `Visual` as methods of a `TestCase`.

    The address of the service is `LOOKALIKE_URL`. The options come from the environment, such as
    `LOOKALIKE_VISUAL_MIN_SCORE`. A class may set `visual_options` and `visual_client` instead.
    Failures write their pictures and a report to `visual-report`. Under pytest the options are
    those of pytest, and its report has the failures.

    Attributes:
        visual_options: The options, instead of those of the environment.
        visual_client: The client, instead of one for `LOOKALIKE_URL`; the caller closes it.

        class TestShop(VisualAssertions):
            def test_the_shelf(self) -> None:
                self.assertSimilar("shelf.png", "shelf")
    """

    visual_options: ClassVar[Options | None] = None
    visual_client: ClassVar[Client | None] = None

    # Set by the pytest plugin, which then writes the report.
    options_of_run: ClassVar[Options | None] = None
    url_of_run: ClassVar[str | None] = None
    root_of_run: ClassVar[Path | None] = None
    is_reported_by_pytest: ClassVar[bool] = False

    bound_visual: Visual | None = None

    @property
    def visual(self) -> Visual:
        """The assertions, bound to this test."""
        if self.bound_visual is None:
            self.bound_visual = self._bound()
            self.addCleanup(_review, self.bound_visual)
        return self.bound_visual

    @derived(Visual.assert_similar, _visual)
    def assertSimilar(self) -> None:  # noqa: N802 - as unittest names them
        """Assert that a picture shows the same as its baseline; see `Visual.assert_similar`."""

    @derived(Visual.assert_looks_like, _visual)
    def assertLooksLike(self) -> None:  # noqa: N802 - as unittest names them
        """Assert that a picture looks roughly like its baseline; see `Visual.assert_looks_like`."""

    @derived(Visual.assert_nearest, _visual)
    def assertNearest(self) -> None:  # noqa: N802 - as unittest names them
        """Assert that one image of a collection is the nearest; see `Visual.assert_nearest`."""

    @derived(Visual.assert_known, _visual)
    def assertKnown(self) -> None:  # noqa: N802 - as unittest names them
        """Assert that a picture is among other pictures; see `Visual.assert_known`."""

    @derived(Visual.assert_new, _visual)
    def assertNew(self) -> None:  # noqa: N802 - as unittest names them
        """Assert that a picture is not among other pictures; see `Visual.assert_new`."""

    @derived(Visual.assert_no_duplicates, _visual)
    def assertNoDuplicates(self) -> None:  # noqa: N802 - as unittest names them
        """Assert that no two pictures are the same; see `Visual.assert_no_duplicates`."""

    @derived(Visual.soft, _visual)
    def softVisual(self) -> None:  # noqa: N802 - as unittest names them
        """Return a block that continues after failed assertions; see `Visual.soft`."""

    def _bound(self) -> Visual:
        options = self.visual_options or self.options_of_run or from_environment()
        client = self.visual_client or self._opened(options)
        neighbours = BaselineNeighbours(client)
        self.addCleanup(neighbours.close)
        file, test = Path(inspect.getfile(type(self))).absolute(), self.id()
        name = ".".join(test.split(".")[-2:])  # the class, too
        root = self.root_of_run or Path.cwd()
        place = Place.of(file, test, name, options.baselines, root)
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
