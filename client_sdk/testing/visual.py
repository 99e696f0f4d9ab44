"""The assertions, bound to a client, options and a test."""

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import Literal

from client_sdk._sync.client import Client
from client_sdk.errors import UsageError
from client_sdk.testing import artefacts, judging
from client_sdk.testing.baselines import Place, located, pictures_below, write
from client_sdk.testing.judging import Expected
from client_sdk.testing.likely import BaselineNeighbours
from client_sdk.testing.messages import describe, short
from client_sdk.testing.mismatch import BaselinesWritten, VisualMismatch
from client_sdk.testing.options import Options, checked_score
from client_sdk.testing.outcome import Judged, Outcome
from client_sdk.testing.pictures import AnyBox, Shot, VisualPicture, boxes, read
from client_sdk.testing.pixels import Pixels
from client_sdk.testing.scratch import ScratchCollection

AlsoPixels = float | Pixels | Literal[False] | None
"""The largest share of differing pixels, or a whole rule; `False` compares no pixels."""

Among = str | Path | Iterable[VisualPicture]
"""The name of a collection, a folder of pictures as a `Path`, or pictures."""


class Visual:
    """Assertions about pictures. The options replace the arguments that a call omits.

    Args:
        client: The client that compares and searches.
        options: The options; by default those of `Options()`.
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
        self._report = self._options.report if keep else None
        self._neighbours = neighbours
        self._without_name = 0
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
        min_score: float | None = None,
        also_pixels: AlsoPixels = None,
        ignore: Iterable[AnyBox] = (),
        collection: str | None = None,
    ) -> float:
        """Assert that a picture looks like its baseline.

        The score reacts to layout, shapes and colours, but hardly to small changes of text; use
        `also_pixels` to find those.

        Args:
            actual: The current picture: a path, bytes such as a screenshot, `(name, bytes)`, a
                binary file, or a PIL image.
            baseline: The expected picture: a file in the folder of baselines (`.png` may be
                omitted), or the picture itself; by default a file with the name of the test.
            min_score: The smallest score that passes, the cosine of the two descriptors, in
                [-1, 1].
            also_pixels: The largest share of pixels that may differ, in [0, 1], or a `Pixels`;
                `False` compares no pixels, even if the options do.
            ignore: Boxes to paint over in both pictures: `(x, y, width, height)` in pixels, or the
                mapping of Playwright's `bounding_box()`.
            collection: The collection whose descriptor is used.

        Returns:
            The score.

        Raises:
            VisualMismatch: If the picture does not look like its baseline, or there is no baseline.
            OSError: If a file cannot be read.
            LookalikeError: If the service does not answer, or a picture cannot be read.
        """
        __tracebackhide__ = True
        least = self._options.min_score if min_score is None else min_score
        checked_score("min_score", least)
        shot = read(actual, "the picture")
        file = self._file_of(baseline)
        if file is not None and not file.exists():
            return self._settle(self._without_baseline(shot, file)).score or 0.0
        judged = judging.similar(
            self._client,
            shot,
            read(baseline, "baseline")
            if file is None and baseline is not None
            else read(file or ""),
            min_score=least,
            pixels=self._pixels(also_pixels),
            ignored=boxes(ignore),
            collection=collection or self._options.collection,
        )
        if file is not None:
            judged = self._with_baseline(judged, shot, file)
        return self._settle(judged).score or 0.0

    def assert_nearest(
        self,
        image: VisualPicture,
        expected: Expected,
        *,
        margin: float | None = None,
        collection: str | None = None,
    ) -> None:
        """Assert that one image of a collection is nearer to a picture than all others.

        Args:
            image: The picture.
            expected: The expected image: the name of its file, with or without the suffix, its
                source or its id; or several, any of which passes.
            margin: The smallest difference of its score to that of the best other image.
            collection: The collection to search.

        Raises:
            VisualMismatch: If another image is nearer, or the margin is too small.
            OSError: If a file cannot be read.
            LookalikeError: If the service does not answer, or cannot read the picture.
        """
        __tracebackhide__ = True
        self._settle(
            judging.nearest(
                self._client,
                read(image, "the picture"),
                expected,
                margin=checked_score(
                    "margin", self._options.margin if margin is None else margin, 2
                ),
                collection=collection or self._options.collection,
            )
        )

    def assert_known(
        self, image: VisualPicture, among: Among | None = None, *, min_score: float | None = None
    ) -> None:
        """Assert that the same picture, or nearly the same, is among other pictures.

        Args:
            image: The picture.
            among: The name of a collection; or a folder, as a `Path`, or pictures, which are
                indexed only for this assertion. The default is the collection of the options.
            min_score: The lowest score of a known picture; by default the verdict of the service
                decides, which uses scores and hashes.

        Raises:
            VisualMismatch: If the picture is new.
            OSError: If a file cannot be read.
            LookalikeError: If the service does not answer, or a picture cannot be read.
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

        Raises:
            VisualMismatch: If the picture is known.
            OSError: If a file cannot be read.
            LookalikeError: If the service does not answer, or a picture cannot be read.
        """
        __tracebackhide__ = True
        self._settle(self._known(image, among, min_score, wanted=False))

    def assert_no_duplicates(self, folder: Among, *, min_score: float | None = None) -> None:
        """Assert that no two pictures are the same, or nearly so.

        Args:
            folder: A folder with its subfolders, as a `Path`; or pictures; or the name of a
                collection.
            min_score: The lowest score of the same picture; by default the verdict of the service
                decides, which uses scores and hashes.

        Raises:
            VisualMismatch: If some are the same; it lists every group.
            OSError: If a file cannot be read.
            LookalikeError: If the service does not answer, or a picture cannot be read.
        """
        __tracebackhide__ = True
        score = self._known_score(min_score)
        if isinstance(folder, str):
            judged = judging.duplicates(
                self._client, collection=folder, known_score=score, same_bytes={}
            )
        else:
            with ScratchCollection.create(self._client, "duplicates") as scratch:
                same_bytes = scratch.add_distinct(_shots(folder))
                judged = judging.duplicates(
                    self._client, collection=scratch, known_score=score, same_bytes=same_bytes
                )
        self._settle(*judged)

    def soft(self) -> AbstractContextManager[None]:
        """Return a block that continues after failed assertions and raises all at its end.

        Another error ends the block; the failures are added to it as notes. Blocks may be nested;
        the outermost one raises.

        Raises:
            VisualMismatch: At the end of the block, if an assertion failed.
        """
        return Soft(self)

    def review(self) -> BaselinesWritten | None:
        """Return the error of a test that wrote baselines, which need a review, or `None`."""
        written, self._written = self._written, []
        return BaselinesWritten(written, self._report) if written else None

    def begin_soft(self) -> bool:
        """Start to collect failures; return True if the block is the outermost."""
        is_outermost = self._soft is None
        if is_outermost:
            self._soft = []
        return is_outermost

    def end_soft(self, error: BaseException | None) -> None:
        """Stop collecting failures; raise them, or add them as notes to the error of the block."""
        __tracebackhide__ = True
        failed, self._soft = self._soft or [], None
        if failed and error is None:
            raise VisualMismatch(failed, self._report)
        if error is not None:
            for one in failed:
                error.add_note(describe(one.outcome, self._report))

    def take(self) -> list[Outcome]:
        """Return the outcomes since the last call."""
        new = self.outcomes[self._taken :]
        self._taken = len(self.outcomes)
        return new

    def _file_of(self, baseline: VisualPicture | None) -> Path | None:
        if baseline is None:
            if not self._place.test:
                raise UsageError("assert_similar() needs a baseline: a file, or the picture itself")
            self._without_name += 1
            more = f"-{self._without_name}" if self._without_name > 1 else ""
            name = Path(f"{self._place.own_name}{more}.png")
        elif isinstance(baseline, str | Path):
            name = Path(baseline)
        else:
            return None
        return located(name, self._place, self._options.baselines)

    def _without_baseline(self, shot: Shot, file: Path) -> Judged:
        outcome = Outcome(
            assertion="assert_similar",
            name=file.name,
            passed=False,
            reason=f"there is no baseline {short(file)}",
            baseline=short(file),
        )
        if self._options.update:
            return self._rewritten(Judged(outcome, {"actual": shot.data}), shot, file)
        how = "run once with --visual-update, look at the picture that it writes, and commit it"
        if self._options.in_ci:
            how = f"this is CI, which makes none: on a machine of yours {how}"
        reason = f"{outcome.reason}; {how}"
        return Judged(outcome.model_copy(update={"reason": reason}), {"actual": shot.data})

    def _with_baseline(self, judged: Judged, shot: Shot, file: Path) -> Judged:
        found: dict[str, object] = {"baseline": short(file)}
        if judged.outcome.passed or self._options.update:
            judged = Judged(judged.outcome.model_copy(update=found), judged.pictures)
            return judged if judged.outcome.passed else self._rewritten(judged, shot, file)
        if self._neighbours is not None:
            found["nearest"] = self._neighbours.nearest(shot, file.parent)
        return Judged(judged.outcome.model_copy(update=found), judged.pictures)

    def _rewritten(self, judged: Judged, shot: Shot, file: Path) -> Judged:
        write(file, shot)
        found = {"written": True, "reason": f"baseline {short(file)} was written; look at it"}
        return Judged(judged.outcome.model_copy(update=found), judged.pictures)

    def _pixels(self, also_pixels: AlsoPixels) -> Pixels | None:
        if also_pixels is None:
            return self._options.pixels
        if also_pixels is False:
            return None
        if also_pixels is True:
            raise UsageError("also_pixels is True; give the share of pixels that may differ")
        return also_pixels if isinstance(also_pixels, Pixels) else Pixels(max_share=also_pixels)

    def _known_score(self, min_score: float | None) -> float | None:
        return (
            self._options.known_score
            if min_score is None
            else checked_score("min_score", min_score)
        )

    def _known(
        self, image: VisualPicture, among: Among | None, min_score: float | None, *, wanted: bool
    ) -> Judged:
        shot = read(image, "the picture")
        score = self._known_score(min_score)
        if among is None or isinstance(among, str):
            where = among or self._options.collection
            return judging.known(
                self._client, shot, wanted=wanted, known_score=score, collection=where
            )
        with ScratchCollection.create(self._client, "among") as scratch:
            scratch.add_distinct(_shots(among))
            return judging.known(
                self._client, shot, wanted=wanted, known_score=score, collection=scratch
            )

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


class Soft(AbstractContextManager[None]):
    """A block of soft assertions; a class, so that tracebacks have no frame of it.

    Args:
        visual: The assertions.
    """

    def __init__(self, visual: Visual) -> None:
        self._visual = visual
        self._is_outermost = False

    def __enter__(self) -> None:
        self._is_outermost = self._visual.begin_soft()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        __tracebackhide__ = True
        if self._is_outermost:
            self._visual.end_soft(error)


def _shots(among: Path | Iterable[VisualPicture]) -> Iterator[Shot]:
    if isinstance(among, Path):
        for path in pictures_below(among):
            yield Shot(path.relative_to(among).as_posix(), path.read_bytes())
    else:
        for number, picture in enumerate(among, 1):
            yield read(picture, f"picture-{number}")
