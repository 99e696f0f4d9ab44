"""`lookalike compare` and `lookalike duplicates`."""

from typing import Annotated

from rich.text import Text
from typer import Argument, Option

from client_sdk.cli import options as given
from client_sdk.cli.codes import Code
from client_sdk.cli.commands import Session
from client_sdk.cli.pictures import drawing, thumbnails
from client_sdk.cli.queries import picture_of
from client_sdk.cli.screen import Column, Field, Form, as_json
from client_sdk.cli.search import score_text
from client_sdk.errors import UsageError
from client_sdk.schemas.compare import Comparison, GroupedImage, Verdict

STYLES = {Verdict.DUPLICATE: "bold green", Verdict.NEAR_DUPLICATE: "yellow", Verdict.SIMILAR: "dim"}
_PICTURE = "A file, - for standard input, or id:7 for the stored image 7."
MEMBERS = (
    Column[GroupedImage]("image_id", lambda one: one.image_id, right=True, style="dim"),
    Column[GroupedImage](
        "score",
        lambda one: one.like and one.like.score,
        lambda one: score_text(one.like.score) if one.like else "",
        right=True,
    ),
    Column[GroupedImage](
        "verdict",
        lambda one: one.like and one.like.verdict,
        lambda one: verdict_text(one.like.verdict) if one.like else "",
    ),
    Column[GroupedImage]("bytes", lambda one: one.bytes, right=True, style="dim"),
    Column[GroupedImage]("source", lambda one: one.source, folds=True),
    Column[GroupedImage](
        "why", lambda one: "; ".join(one.like.reasons) if one.like else "", folds=True
    ),
)


def compare(
    session: Session,
    a: Annotated[str, Argument(metavar="A", help=_PICTURE)],
    b: Annotated[str, Argument(metavar="B", help=_PICTURE)],
    *,
    collection: given.CollectionOption = given.DEFAULT,
    min_score: Annotated[
        float | None, Option(min=-1.0, max=1.0, help="Exit with 1 if the score is lower.")
    ] = None,
    expect: Annotated[Verdict | None, Option(help="Exit with 1 if the verdict is weaker.")] = None,
) -> int:
    """Decide whether two pictures are the same, nearly the same, or only similar."""
    if a == b == "-":
        raise UsageError("only one of the two pictures can come from standard input")
    stdin = session.around.stdin
    found = session.client.compare(
        picture_of(a, stdin), picture_of(b, stdin), collection=collection
    )
    session.screen.one(found, _fields(found))
    for warning in found.warnings:
        session.screen.warn(f"note: {warning}")
    return Code.DONE if _good_enough(session, found, min_score, expect) else Code.NO


def duplicates(
    session: Session,
    *,
    collection: given.CollectionOption = given.DEFAULT,
    min_score: Annotated[
        float | None,
        Option(
            min=-1.0, max=1.0, help="Also group images that are not copies, from this score on."
        ),
    ] = None,
    check: Annotated[bool, Option("--check", help="Exit with 1 if there are duplicates.")] = False,
    pictures: given.PicturesOption = None,
) -> int:
    """List the groups of images that are the same picture or nearly so, as they arrive."""
    screen = session.screen
    groups = session.client.duplicates(collection=collection, min_score=min_score)
    number = images = 0
    draw = drawing(session, wanted=pictures)
    for number, group in enumerate(groups, 1):
        images += len(group.images)
        if screen.form is Form.JSON:
            screen.line(as_json(group))
            continue
        columns = (_group_column(number), *MEMBERS)
        screen.many(group.images, columns, picture=thumbnails(draw, group.images))
        if not group.is_whole:
            screen.aside(f"group {number} has more images than one answer may list")
    screen.aside(f"groups: {number}, images in them: {images}")
    return Code.NO if check and number else Code.DONE


def verdict_text(verdict: Verdict) -> Text:
    """Return a verdict in its colour."""
    return Text(verdict.replace("_", " "), style=STYLES[verdict])


def _fields(found: Comparison) -> list[Field]:
    evidence = found.evidence
    bits = (
        None if evidence.hash_distance is None else f"{evidence.hash_distance}/{evidence.hash_bits}"
    )
    return [
        Field("verdict", found.verdict, verdict_text(found.verdict)),
        Field("score", found.score, score_text(found.score)),
        Field("distance", found.distance, f"{found.distance:.3f}"),
        Field("probability", found.probability),
        Field("same_bytes", "yes" if evidence.same_bytes else "no"),
        Field("hash_distance", bits),
        Field("orientation", evidence.orientation),
        Field("reasons", "; ".join(evidence.reasons)),
        Field("descriptor", found.descriptor),
    ]


def _group_column(number: int) -> Column[GroupedImage]:
    return Column("group", lambda _: number, right=True, style="dim")


def _good_enough(
    session: Session, found: Comparison, min_score: float | None, expect: Verdict | None
) -> bool:
    order = list(Verdict)
    if min_score is not None and found.score < min_score:
        session.screen.warn(f"the score {found.score:.4f} is below {min_score:g}")
        return False
    if expect is not None and order.index(found.verdict) > order.index(expect):
        session.screen.warn(f"the verdict is {found.verdict}, not {expect}")
        return False
    return True
