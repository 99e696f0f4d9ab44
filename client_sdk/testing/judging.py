"""Judgements of pictures, without raising on a failure, writing files or skipping tests."""

from collections.abc import Collection, Mapping
from pathlib import PurePosixPath

from PIL import Image

from client_sdk._sync.client import Client
from client_sdk.schemas import Hit
from client_sdk.schemas.compare import Verdict
from client_sdk.testing.outcome import Judged, Neighbour, Outcome, PixelCount
from client_sdk.testing.pictures import Box, Shot, as_png, masked
from client_sdk.testing.pixels import PixelDifference, Pixels, difference

LISTED = 3
"""The number of nearest images that a failure lists."""

LOOKED_AT = 100
"""The number of hits among which the expected image must be."""

Expected = str | int | Collection[str | int]
"""The expected image: the name of its file, its source or its id; or several alternatives."""


def similar(
    client: Client,
    actual: Shot,
    expected: Shot,
    *,
    min_score: float,
    pixels: Pixels | None = None,
    ignored: tuple[Box, ...] = (),
    collection: str,
) -> Judged:
    """Judge if a picture looks like another one.

    Files that are equal byte by byte are not sent: their score is 1 by definition.

    Args:
        client: The client that compares.
        actual: The current picture.
        expected: The expected picture.
        min_score: The smallest cosine that passes.
        pixels: The rule of the pixel comparison; `None` compares no pixels.
        ignored: Boxes that are painted over in both pictures.
        collection: The collection whose descriptor is used.

    Raises:
        LookalikeError: If the service does not answer, or cannot read one of the pictures.
    """
    one, other = masked(actual, ignored), masked(expected, ignored)
    score, verdict = 1.0, str(Verdict.DUPLICATE)
    evidence: tuple[str, ...] = ("the same bytes",)
    if one.data != other.data:
        answer = client.compare(
            (one.name, one.data), (other.name, other.data), collection=collection
        )
        score, verdict, evidence = answer.score, str(answer.verdict), answer.evidence.reasons
    found, drawn = _pixels(one, other, pixels, always=score < min_score)
    faults = [] if score >= min_score else [f"it scores {score:.4f}, not {min_score:.4f}"]
    if found is not None and not found.passed:
        faults.append(f"{found.differing:,} pixels differ")
        if found.sizes_differ:
            faults.append(f"it is {actual.size} and not {expected.size}")
    outcome = Outcome(
        assertion="assert_similar",
        name=expected.name,
        passed=not faults,
        reason=f"{actual.name} does not look like {expected.name}: {' and '.join(faults)}"
        if faults
        else f"{actual.name} looks like {expected.name}",
        score=score,
        threshold=min_score,
        verdict=verdict,
        evidence=evidence,
        pixels=None if found is None else _count(found),
        ignored=ignored,
    )
    if not faults or drawn is None:
        return Judged(outcome)
    shown = {"actual": one.data, "expected": other.data, "diff": as_png(drawn)}
    return Judged(outcome, shown)


def nearest(
    client: Client, shot: Shot, expected: Expected, *, margin: float, collection: str
) -> Judged:
    """Judge if one image of a collection is nearer to a picture than all others.

    Args:
        client: The client that searches.
        shot: The picture.
        expected: The image that must be the nearest.
        margin: The smallest difference of its score to that of the best other image.
        collection: The collection to search.

    Raises:
        LookalikeError: If the service does not answer, or cannot read the picture.
    """
    hits = client.search((shot.name, shot.data), collection=collection, top_k=LOOKED_AT).hits
    right = next((hit for hit in hits if _is_meant(hit, expected)), None)
    wrong = next((hit for hit in hits if not _is_meant(hit, expected)), None)
    ahead = None if right is None or wrong is None else right.score - wrong.score
    passed = right is not None and (ahead is None or ahead >= margin)
    outcome = Outcome(
        assertion="assert_nearest",
        name=shot.name,
        passed=passed,
        reason=_reason_of_nearest(shot, expected, collection, right, wrong, passed=passed),
        score=None if right is None else right.score,
        margin=ahead,
        min_margin=margin,
        nearest=neighbours(hits),
    )
    if passed:
        return Judged(outcome)
    shown = {"actual": shot.data}
    for role, hit in (("expected", right), ("nearest", wrong)):
        if hit is not None:
            shown[role] = client.content(hit.image_id)
    return Judged(outcome, shown)


def known(
    client: Client, shot: Shot, *, wanted: bool, known_score: float | None, collection: str
) -> Judged:
    """Judge if a collection has a picture, or nearly the same picture.

    Args:
        client: The client that searches.
        shot: The picture.
        wanted: True if the picture must be known, false if it must be new.
        known_score: The lowest score of a known picture; `None` uses the verdict of the service.
        collection: The collection to search.

    Raises:
        LookalikeError: If the service does not answer, or cannot read the picture.
    """
    hits = client.search((shot.name, shot.data), collection=collection, top_k=LISTED).hits
    verdict, threshold, is_known = None, known_score, False
    evidence: tuple[str, ...] = ()
    if hits and known_score is None:
        answer = client.compare((shot.name, shot.data), hits[0].image_id, collection=collection)
        verdict, evidence = str(answer.verdict), answer.evidence.reasons
        threshold = answer.evidence.lines.near_duplicate
        is_known = answer.verdict is not Verdict.SIMILAR
    elif hits and known_score is not None:
        is_known = hits[0].score >= known_score
    best = f"; {hits[0].name} is the nearest" if hits else ", which is empty"
    outcome = Outcome(
        assertion="assert_known" if wanted else "assert_new",
        name=shot.name,
        passed=is_known is wanted,
        reason=f"{shot.name} is {'known' if is_known else 'new'} in {collection}{best}",
        score=hits[0].score if hits else None,
        threshold=threshold,
        verdict=verdict,
        evidence=evidence,
        nearest=neighbours(hits),
    )
    if outcome.passed:
        return Judged(outcome)
    shown = {"actual": shot.data}
    if hits:
        shown["nearest"] = client.content(hits[0].image_id)
    return Judged(outcome, shown)


def duplicates(
    client: Client,
    *,
    collection: str,
    known_score: float | None,
    same_bytes: Mapping[str, tuple[str, ...]],
) -> tuple[Judged, ...]:
    """Judge if images of a collection are the same picture, or nearly so.

    Args:
        client: The client that searches for duplicates.
        collection: The collection.
        known_score: The lowest score of the same picture; `None` uses the verdict of the service.
        same_bytes: The names of files with the same bytes as an image, by the image's name.

    Returns:
        A failed outcome for each group, or one outcome that has passed.

    Raises:
        LookalikeError: If the service does not answer.
    """
    found: list[Judged] = []
    told: set[str] = set()
    for group in client.duplicates(collection=collection, min_score=known_score):
        first, *others = group.images
        names = [name for one in group.images for name in (one.name, *same_bytes.get(one.name, ()))]
        told.update(names)
        like = others[0].like
        outcome = _group(names, known_score, None if like is None else like.score)
        if like is not None:
            because = {"evidence": like.reasons, "verdict": str(like.verdict)}
            outcome = outcome.model_copy(update=because)
        shown = {"actual": client.content(others[0].id), "expected": client.content(first.id)}
        found.append(Judged(outcome, shown))
    for name, copies in same_bytes.items():
        if name not in told:
            outcome = _group([name, *copies], known_score, 1.0)
            because = {"evidence": ("the same bytes",)}
            found.append(Judged(outcome.model_copy(update=because)))
    if found:
        return tuple(found)
    nothing = "no two pictures are the same"
    passed = Outcome(
        assertion="assert_no_duplicates",
        name=collection,
        passed=True,
        reason=nothing,
        threshold=known_score,
    )
    return (Judged(passed),)


def neighbours(hits: Collection[Hit]) -> tuple[Neighbour, ...]:
    """Return the first hits in the form that a failure lists."""
    return tuple(Neighbour(name=hit.name, score=hit.score) for hit in [*hits][:LISTED])


def _group(names: list[str], known_score: float | None, score: float | None) -> Outcome:
    return Outcome(
        assertion="assert_no_duplicates",
        name=names[0],
        passed=False,
        reason=f"{', '.join(names)} are the same picture, or nearly so",
        score=score,
        threshold=known_score,
    )


def _pixels(
    one: Shot, other: Shot, pixels: Pixels | None, *, always: bool
) -> tuple[PixelDifference | None, Image.Image | None]:
    if pixels is None and not always:
        return None, None
    return difference(one.image, other.image, pixels)


def _count(found: PixelDifference) -> PixelCount:
    return PixelCount(
        differing=found.differing,
        smoothed=found.smoothed,
        total=found.total,
        share=found.share,
        max_share=found.max_share,
        box=found.box,
        sizes_differ=found.sizes_differ,
    )


def _is_meant(hit: Hit, expected: Expected) -> bool:
    if isinstance(expected, int):
        return hit.image_id == expected
    if isinstance(expected, str):
        source = PurePosixPath(hit.source)
        return expected in (hit.name, source.name, source.stem, hit.source)
    return any(_is_meant(hit, one) for one in expected)


def _reason_of_nearest(
    shot: Shot,
    expected: Expected,
    collection: str,
    right: Hit | None,
    wrong: Hit | None,
    *,
    passed: bool,
) -> str:
    if right is None:
        where = f"the {LOOKED_AT} images of {collection} nearest to {shot.name}"
        return f"{expected!r} is not among {where}"
    if passed or wrong is None:
        return f"{right.name} is the nearest to {shot.name}"
    if wrong.score > right.score:
        return f"{wrong.name} is nearer to {shot.name} than {right.name}"
    return f"{right.name} is hardly nearer to {shot.name} than {wrong.name}"
