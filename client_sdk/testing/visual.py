"""The assertions, bound to a client, options and a test."""

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path

from client_sdk._sync.client import Client
from client_sdk.testing import artefacts, judging
from client_sdk.testing.among import Among, indexed, place_of
from client_sdk.testing.baselines import Place
from client_sdk.testing.comparing import Baselines
from client_sdk.testing.judging import Expected
from client_sdk.testing.likely import BaselineNeighbours
from client_sdk.testing.masks import AnyBox, boxes
from client_sdk.testing.messages import describe
from client_sdk.testing.mismatch import BaselinesWritten, VisualMismatch
from client_sdk.testing.options import Options, checked_score
from client_sdk.testing.outcome import Assertion, Judged, Outcome
from client_sdk.testing.pictures import VisualPicture, read
from client_sdk.testing.soft import Soft


class Visual:
    """Assertions about pictures.

    Every assertion raises `VisualMismatch` if it fails, `OSError` if a file cannot be read, and
    `LookalikeError` if a picture cannot be decoded or the service does not answer.

    Args:
        client: The client that compares and searches.
        options: The values of arguments that a call omits.
        place: The place of the test, for its baselines; by default the working directory.
        keep: If true, failures write their pictures below `options.report`.
        neighbours: The search for the baselines nearest to a failed picture; `None` omits it.

    Attributes:
        outcomes: The outcome of each assertion so far.
    """

    def __init__(
        self,
        client: Client,
        options: Options | None = None,
        *,
        place: Place | None = None,
        keep: bool = False,
        neighbours: BaselineNeighbours | None = None,
    ) -> None:
        self._client = client
        self._options = options or Options()
        self._place = place or Place(Path())
        self._baselines = Baselines(self._options, self._place, neighbours)
        self._report = self._options.report if keep else None
        self._taken = 0
        self._soft: list[Judged] | None = None
        self._written: list[Judged] = []
        self.outcomes: list[Outcome] = []

    @property
    def client(self) -> Client:
        """The client that the assertions use."""
        return self._client

    def assert_similar(
        self,
        actual: VisualPicture,
        baseline: VisualPicture | None = None,
        *,
        ignore: Iterable[AnyBox] = (),
        collection: str | None = None,
    ) -> None:
        """Assert that a picture shows the same as its baseline.

        It compares pixels, and fails for every visible change. It tolerates smoothed edges, shifts
        by one or two pixels, scattered pixels and a text cursor. The message of a failure lists
        what is missing, new or moved, and has the score of the two pictures.

        Args:
            actual: The current picture: a path, bytes such as a screenshot, `(name, bytes)`, a
                binary file, a PIL image, or a `Page` or `Locator` of Playwright.
            baseline: The expected picture: a file in the folder of baselines (`.png` may be
                omitted), or the picture itself; by default a file with the name of the test.
            ignore: The parts to paint over in both pictures: boxes `(x, y, width, height)`,
                mappings such as Playwright's `bounding_box()`, or Playwright's locators. Boxes are
                in pixels of the picture; if it is a `Page` or a `Locator`, in CSS pixels.
            collection: The collection whose descriptor is used for the score in the message.

        Raises:
            VisualMismatch: If they differ, also in their size; or if there is no baseline.
            UsageError: If a box masks nothing.
        """
        __tracebackhide__ = True
        judge = partial(judging.similar, self._client)
        self._compare("assert_similar", judge, actual, baseline, ignore, collection)

    def assert_looks_like(
        self,
        actual: VisualPicture,
        baseline: VisualPicture | None = None,
        *,
        min_score: float | None = None,
        ignore: Iterable[AnyBox] = (),
        collection: str | None = None,
    ) -> float:
        """Assert that a picture looks roughly like its baseline, by its score alone.

        The score depends on layout, shapes and colours; a changed text hardly changes it. The sizes
        may differ.

        Args:
            actual: The same as in `assert_similar`.
            baseline: The same as in `assert_similar`.
            min_score: The smallest score that passes, the cosine of the two descriptors, in
                [-1, 1].
            ignore: The same as in `assert_similar`.
            collection: The collection whose descriptor is used.

        Returns:
            The score.

        Raises:
            VisualMismatch: If it does not look like its baseline, or there is no baseline.
        """
        __tracebackhide__ = True
        least = self._options.min_score if min_score is None else min_score
        checked_score("min_score", least)
        judge = partial(judging.looks_like, self._client, min_score=least)
        outcome = self._compare("assert_looks_like", judge, actual, baseline, ignore, collection)
        return outcome.score or 0.0

    def assert_nearest(
        self,
        image: VisualPicture,
        expected: Expected,
        *,
        margin: float = 0.0,
        collection: str | None = None,
    ) -> None:
        """Assert that one image of a collection is nearer to a picture than all others.

        Args:
            image: The picture.
            expected: The expected image: the name of its file, with or without the suffix, its
                source or its id; or several alternatives.
            margin: The smallest difference between its score and that of the best other image.
            collection: The collection to search.
        """
        __tracebackhide__ = True
        self._settle(
            judging.nearest(
                self._client,
                read(image, "the picture"),
                expected,
                margin=checked_score("margin", margin, most=2.0),
                collection=collection or self._options.collection,
            )
        )

    def assert_known(
        self, image: VisualPicture, among: Among | None = None, *, min_score: float | None = None
    ) -> None:
        """Assert that the same picture, or nearly the same, is among other pictures.

        Args:
            image: The picture.
            among: The name of a collection, a folder as a `Path`, or pictures. A folder or pictures
                are indexed for this assertion only. The default is the collection of the options.
            min_score: The lowest score of a known picture; by default the verdict of the service
                decides.
        """
        __tracebackhide__ = True
        self._settle(self._known(image, among, min_score, wanted=True))

    def assert_new(
        self, image: VisualPicture, among: Among | None = None, *, min_score: float | None = None
    ) -> None:
        """Assert that neither the same nor nearly the same picture is among other pictures.

        Args:
            image: The picture.
            among: The same as in `assert_known`.
            min_score: The same as in `assert_known`.
        """
        __tracebackhide__ = True
        self._settle(self._known(image, among, min_score, wanted=False))

    def assert_no_duplicates(self, folder: Among, *, min_score: float | None = None) -> None:
        """Assert that no two pictures are the same, or nearly so.

        Args:
            folder: A folder with its subfolders as a `Path`, pictures, or the name of a collection.
            min_score: The lowest score of the same picture; by default the verdict of the service
                decides.

        Raises:
            VisualMismatch: If some are the same; it lists every group.
        """
        __tracebackhide__ = True
        score = checked_score("min_score", min_score)
        with indexed(self._client, folder) as (collection, same_bytes):
            judged = judging.duplicates(
                self._client, collection=collection, known_score=score, same_bytes=same_bytes
            )
        self._settle(*judged)

    def soft(self) -> AbstractContextManager[None]:
        """Return a block that continues after failed assertions and raises all at its end.

        Another error ends the block, with the failures as notes. Of nested blocks, the outermost
        one raises.
        """
        return Soft(self._begin_soft, self._end_soft)

    def review(self) -> BaselinesWritten | None:
        """Return the error of a test that wrote baselines, which need a review; else `None`."""
        written, self._written = self._written, []
        return BaselinesWritten(written, self._report) if written else None

    def take(self) -> list[Outcome]:
        """Return the outcomes since the last call."""
        new = self.outcomes[self._taken :]
        self._taken = len(self.outcomes)
        return new

    def _begin_soft(self) -> bool:
        """Start to collect failures; return True if the block is the outermost."""
        is_outermost = self._soft is None
        if is_outermost:
            self._soft = []
        return is_outermost

    def _end_soft(self, error: BaseException | None) -> None:
        """Stop collecting failures; raise them, or add them as notes to the error of the block."""
        __tracebackhide__ = True
        failed, self._soft = self._soft or [], None
        if failed and error is None:
            raise VisualMismatch(failed, self._report)
        if error is not None:
            for one in failed:
                error.add_note(describe(one.outcome, self._report))

    def _known(
        self, image: VisualPicture, among: Among | None, min_score: float | None, *, wanted: bool
    ) -> Judged:
        shot = read(image, "the picture")
        score = checked_score("min_score", min_score)
        pictures = among or self._options.collection
        with indexed(self._client, pictures) as (collection, _):
            return judging.known(
                self._client,
                shot,
                wanted=wanted,
                known_score=score,
                collection=collection,
                place=place_of(pictures),
            )

    def _compare(
        self,
        assertion: Assertion,
        judge: Callable[..., Judged],
        actual: VisualPicture,
        baseline: VisualPicture | None,
        ignore: Iterable[AnyBox],
        collection: str | None,
    ) -> Outcome:
        __tracebackhide__ = True
        shot = read(actual, "the picture")
        options = {
            "ignored": boxes(ignore, shot),
            "collection": collection or self._options.collection,
        }
        judge = partial(judge, shot, **options)
        return self._settle(self._baselines.compared(assertion, shot, baseline, judge))

    def _settle(self, *judged: Judged) -> Outcome:
        __tracebackhide__ = True
        settled = [self._kept(one) for one in judged]
        failed = [one for one in settled if not one.outcome.passed and not one.outcome.written]
        self._written += [one for one in settled if one.outcome.written]
        if failed and self._soft is None:
            raise VisualMismatch(failed, self._report)
        if self._soft is not None:
            self._soft += failed
        return settled[0].outcome

    def _kept(self, judged: Judged) -> Judged:
        about = {"test": self._place.test, "number": len(self.outcomes) + 1}
        numbered = Judged(judged.outcome.model_copy(update=about), judged.pictures)
        if self._report is not None:
            numbered = artefacts.keep(numbered, self._report)
        self.outcomes.append(numbered.outcome)
        return numbered
