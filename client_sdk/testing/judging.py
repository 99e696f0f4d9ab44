"""Judgements of pictures, without raising on a failure, writing files or skipping tests."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import PurePosixPath

from client_sdk._sync.client import Client
from client_sdk.errors import LookalikeError
from client_sdk.schemas import Hit
from client_sdk.schemas.compare import Verdict
from client_sdk.testing.messages import reason_of_difference
from client_sdk.testing.outcome import Judged, Neighbour, Outcome
from client_sdk.testing.pictures import Box, Shot, as_png, masked
from client_sdk.testing.pixels import difference

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
    ignored: tuple[Box, ...] = (),
    collection: str,
) -> Judged:
    """Judge by the pixels if a person sees no difference between two pictures.

    If they differ, the service computes the score for the message.

    Raises:
        UsageError: If a picture cannot be decoded, or a box lies outside of it.
    """
    one = masked(actual, ignored)
    has_its_size = actual.image.size == expected.image.size
    other = masked(expected, ignored) if has_its_size else expected
    found, drawn = difference(one.image, other.image)
    outcome = Outcome(
        assertion="assert_similar",
        name=expected.name,
        passed=found.passed,
        reason=f"{actual.name} looks like {expected.name}",
        pixels=found,
        ignored=ignored,
    )
    if found.passed:
        return Judged(outcome)
    details: dict[str, object] = {"reason": reason_of_difference(found, actual.name, expected.name)}
    try:
        answer = client.compare(
            (one.name, one.data), (other.name, other.data), collection=collection
        )
        details["score"] = answer.score
    except LookalikeError as error:
        details["notes"] = (f"there is no score: {error}",)
    shown = {"actual": actual.data, "expected": expected.data}
    if drawn is not None:
        shown["diff"] = as_png(drawn)
    return Judged(outcome.model_copy(update=details), shown)


def looks_like(
    client: Client,
    actual: Shot,
    expected: Shot,
    *,
    min_score: float,
    ignored: tuple[Box, ...] = (),
    collection: str,
) -> Judged:
    """Judge by the score alone if a picture looks roughly like another one of any size."""
    one = masked(actual, ignored)
    other = masked(expected, ignored, actual.image.size) if ignored else expected
    answer = client.compare((one.name, one.data), (other.name, other.data), collection=collection)
    passed = answer.score >= min_score
    verb = "looks roughly like" if passed else "does not look like"
    sizes = f"the picture has {actual.size} pixels, the expected picture {expected.size}"
    outcome = Outcome(
        assertion="assert_looks_like",
        name=expected.name,
        passed=passed,
        reason=f"{actual.name} {verb} {expected.name}",
        score=answer.score,
        threshold=min_score,
        notes=() if actual.size == expected.size else (sizes,),
        ignored=ignored,
    )
    return Judged(outcome, {} if passed else {"actual": actual.data, "expected": expected.data})


def nearest(
    client: Client, shot: Shot, expected: Expected, *, margin: float, collection: str
) -> Judged:
    """Judge if one image of a collection is nearer to a picture than all others, by a margin."""
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
            shown[role] = hit.content()
    return Judged(outcome, shown)


def known(
    client: Client,
    shot: Shot,
    *,
    wanted: bool,
    known_score: float | None,
    collection: str,
    place: str,
) -> Judged:
    """Judge if a collection has a picture, or nearly the same picture.

    The picture must be known if `wanted` is true, and new if it is false. Without `known_score` the
    verdict of the service decides. `place` says in messages where the images are.
    """
    hits = client.search((shot.name, shot.data), collection=collection, top_k=LISTED).hits
    is_known, evidence = False, dict[str, object]()
    if hits and known_score is not None:
        is_known = hits[0].score >= known_score
    elif hits:
        answer = client.compare((shot.name, shot.data), hits[0].image_id, collection=collection)
        is_known = answer.verdict is not Verdict.SIMILAR
        evidence = {"verdict": str(answer.verdict), "evidence": answer.evidence.reasons}
    best = f"; {hits[0].name} is the nearest" if hits else ": there are no images"
    outcome = Outcome(
        assertion="assert_known" if wanted else "assert_new",
        name=shot.name,
        passed=is_known is wanted,
        reason=f"{shot.name} is {'known' if is_known else 'new'} {place}{best}",
        score=hits[0].score if hits else None,
        threshold=known_score,
        nearest=neighbours(hits),
    ).model_copy(update=evidence)
    if outcome.passed:
        return Judged(outcome)
    nearest_picture = {"nearest": hits[0].content()} if hits else {}
    return Judged(outcome, {"actual": shot.data, **nearest_picture})


def duplicates(
    client: Client,
    *,
    collection: str,
    known_score: float | None,
    same_bytes: Mapping[int, tuple[str, ...]],
) -> tuple[Judged, ...]:
    """Return a failed outcome for each group of duplicates in a collection, or a passed outcome.

    `same_bytes` has the names of files with the same bytes, by the id of their image.
    """
    found: list[Judged] = []
    grouped: set[int] = set()
    for group in client.duplicates(collection=collection, min_score=known_score):
        first, *others = group.images
        names = [name for one in group.images for name in same_bytes.get(one.id, (one.source,))]
        grouped.update(one.id for one in group.images)
        like = others[0].like
        outcome = _group(names, known_score, None if like is None else like.score)
        if like is not None:
            because = {"evidence": like.reasons, "verdict": str(like.verdict)}
            outcome = outcome.model_copy(update=because)
        shown = {"actual": others[0].content(), "expected": first.content()}
        found.append(Judged(outcome, shown))
    for image_id, copies in same_bytes.items():
        if image_id not in grouped:
            outcome = _group(copies, known_score, 1.0)
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


def _group(names: Sequence[str], known_score: float | None, score: float | None) -> Outcome:
    return Outcome(
        assertion="assert_no_duplicates",
        name=names[0],
        passed=False,
        reason=f"{', '.join(names)} are the same picture, or nearly so",
        score=score,
        threshold=known_score,
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
    return f"{right.name} is the nearest to {shot.name}, but {wrong.name} is within the margin"
