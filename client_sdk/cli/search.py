"""`lookalike search`: finds the pictures that look like a picture."""

from typing import Annotated

from rich.text import Text
from typer import Argument, Option

from client_sdk._sync.results import SearchResponse
from client_sdk.cli import options as given
from client_sdk.cli.codes import Code
from client_sdk.cli.commands import Session
from client_sdk.cli.pictures import drawing, thumbnails
from client_sdk.cli.queries import query_of
from client_sdk.cli.screen import Column, Form, as_json
from client_sdk.errors import UsageError
from client_sdk.schemas import MAX_TOP_K, Hit

COLUMNS = (
    Column[Hit]("image_id", lambda hit: hit.image_id, right=True, style="dim"),
    Column[Hit]("score", lambda hit: hit.score, lambda hit: score_text(hit.score), right=True),
    Column[Hit]("size", lambda hit: f"{hit.width}x{hit.height}", right=True, style="dim"),
    Column[Hit]("source", lambda hit: hit.source, folds=True),
)


def search(
    session: Session,
    picture: Annotated[
        str,
        Argument(
            metavar="PICTURE",
            help="A file, - for standard input, id:7 for the stored image 7, or an http(s) "
            "address that the service fetches.",
        ),
    ],
    *,
    collection: given.CollectionOption = given.DEFAULT,
    top_k: Annotated[
        int, Option("--top-k", "-k", min=1, max=MAX_TOP_K, help="The largest number of hits.")
    ] = 10,
    offset: Annotated[int, Option(min=0, help="The number of hits to skip.")] = 0,
    min_score: Annotated[
        float | None,
        Option(min=-1.0, max=1.0, help="Omit worse hits; the exit code is 1 if none is left."),
    ] = None,
    filter: given.FilterOption = None,
    region: Annotated[
        str | None,
        Option(metavar="X,Y,WIDTH,HEIGHT", help="Only this part of the picture, in pixels."),
    ] = None,
    exact: Annotated[
        bool, Option("--exact", help="Compare with every image instead of using the index.")
    ] = False,
    explain: Annotated[bool, Option("--explain", help="Explain how the answer was found.")] = False,
    pictures: given.PicturesOption = None,
) -> int:
    """Find the images that look like a picture."""
    found = session.client.search(
        query_of(picture, session.around.stdin),
        collection=collection,
        top_k=top_k,
        offset=offset,
        min_score=min_score,
        filter=filter,
        region=None if region is None else _region(region),
        exact=exact,
        explain=explain,
    )
    _show(session, found, pictures)
    if not found.hits:
        least = "" if min_score is None else f" with a score of {min_score:g} or more"
        session.screen.warn(f"nothing found in {found.collection}{least}")
        return Code.NO
    return Code.DONE


def score_text(score: float) -> Text:
    """Return a score; a better one has a brighter colour."""
    style = "bold green" if score >= 0.9 else "green" if score >= 0.7 else ""
    return Text(f"{score:.3f}", style=style)


def _show(session: Session, found: SearchResponse, pictures: bool | None) -> None:  # noqa: FBT001
    screen = session.screen
    if screen.form is Form.JSON:
        screen.line(as_json(found, indent=2))
        return
    for warning in found.warnings:
        screen.warn(f"note: {warning}")
    address = Column[Hit]("address", lambda hit: _address(session, hit))
    draw = drawing(session, wanted=pictures) if found.hits else None
    columns = COLUMNS if screen.form is Form.TABLE else (*COLUMNS, address)
    screen.many(found.hits, columns, picture=thumbnails(draw, found.hits))
    if found.hits:
        screen.aside(f"{len(found.hits)} in {found.collection}, {found.took_ms.total:.0f} ms")
    for name, value in (found.explanation or {}).items():
        screen.aside(f"{name}: {value}")


def _address(session: Session, hit: Hit) -> str:
    """Return what opens a hit: its file if the engine is in this process, else its URL."""
    is_remote = session.url.startswith(("http://", "https://"))
    return session.url.rstrip("/") + hit.content_url if is_remote else hit.source


def _region(text: str) -> list[int]:
    try:
        region = [int(number) for number in text.split(",")]
    except ValueError:
        region = []
    if len(region) != 4:
        raise UsageError(f"region {text!r}; give X,Y,WIDTH,HEIGHT in pixels, such as 0,0,200,100")
    return region
