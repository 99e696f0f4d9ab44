"""`lookalike images`: lists and shows stored images, gets their bytes, and sets metadata."""

import json
import sys
from itertools import islice
from pathlib import Path
from typing import Annotated

import typer

from client_sdk.cli import options as given
from client_sdk.cli.commands import Session, command
from client_sdk.cli.pictures import drawing
from client_sdk.cli.screen import Column, Field
from client_sdk.errors import UsageError
from client_sdk.schemas import Image

app: typer.Typer = typer.Typer(help="List images, look at one, get its bytes, set its metadata.")

IdArgument = Annotated[int, typer.Argument(metavar="ID", min=0, help="Its id.")]
COLUMNS = (
    Column[Image]("id", lambda image: image.id, right=True, style="dim"),
    Column[Image]("format", lambda image: image.format, style="dim"),
    Column[Image]("size", lambda image: f"{image.width}x{image.height}", right=True, style="dim"),
    Column[Image]("bytes", lambda image: image.bytes, right=True, style="dim"),
    Column[Image]("source", lambda image: image.source, folds=True),
    Column[Image](
        "metadata",
        lambda image: json.dumps(image.metadata, ensure_ascii=False) if image.metadata else "",
        folds=True,
    ),
)


@command(app, group=True)
def images(
    session: Session,
    *,
    collection: given.CollectionOption = given.DEFAULT,
    prefix: Annotated[
        str | None, typer.Option(metavar="PATH", help="Only sources that begin like this.")
    ] = None,
    filter: given.FilterOption = None,  # noqa: A002 - the contract's word
    limit: Annotated[
        int | None, typer.Option("--limit", "-n", min=1, help="How many at most; all without.")
    ] = None,
) -> None:
    """List the images of a collection by rising id."""
    page = min(limit or 100, 100)
    found = session.client.images(
        collection=collection, prefix=prefix, filter=filter, page_size=page
    )
    session.screen.many(islice(found, limit), COLUMNS)


@command(app)
def show(session: Session, id: IdArgument, *, pictures: given.PicturesOption = None) -> None:  # noqa: A002
    """Show one image and everything that is known about it."""
    image = session.client.image(id)
    draw = drawing(session, wanted=pictures)
    content = session.client.thumbnail(id, size=512) if draw else b""
    session.screen.one(image, _fields(image), picture=draw(content, 36, 12) if draw else None)


@command(app)
def get(
    session: Session,
    id: IdArgument,  # noqa: A002 - the contract's word
    *,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Where to; standard output without."),
    ] = None,
    size: Annotated[
        int | None,
        typer.Option(metavar="PIXELS", min=1, help="A small WebP of that side, not the original."),
    ] = None,
) -> None:
    """Get the stored bytes of an image."""
    if output is None and session.around.stdout.isatty():
        raise UsageError("these bytes are not for a terminal; give --output FILE, or a pipe")
    client = session.client
    content = client.content(id) if size is None else client.thumbnail(id, size=size)
    if output is not None:
        output.write_bytes(content)
        return
    sink = getattr(session.around.stdout, "buffer", sys.stdout.buffer)
    sink.write(content)
    sink.flush()


@command(app, "set")
def set_metadata(
    session: Session,
    id: IdArgument,  # noqa: A002 - the contract's word
    pairs: Annotated[
        list[str], typer.Argument(metavar="NAME=VALUE...", help="Such as shop=north price=20.")
    ] = [],  # noqa: B006 - Typer copies it
    *,
    replace: Annotated[
        bool, typer.Option("--replace", help="Drop what is not named, instead of keeping it.")
    ] = False,
    unset: Annotated[list[str], typer.Option(metavar="NAME", help="Drop this one.")] = [],  # noqa: B006 - Typer copies it
) -> None:
    """Set metadata of an image."""
    if not (pairs or replace or unset):
        raise UsageError("name what to set: lookalike images set ID shop=north")
    named = given.metadata_of(pairs)
    kept = {} if replace else session.client.image(id).metadata
    changed = {**kept, **named}
    for name in unset:
        changed.pop(name, None)
    image = session.client.update_metadata(id, changed)
    session.screen.one(image, _fields(image))


def _fields(image: Image) -> list[Field]:
    places = [f"{one.root}/{one.path}" if one.root else one.path for one in image.sources]
    return [
        Field("id", image.id),
        Field("collection", image.collection),
        Field("source", image.source),
        Field("sources", ", ".join(places) if len(places) > 1 else None),
        Field("format", image.format),
        Field("size", f"{image.width}x{image.height}"),
        Field("bytes", image.bytes, f"{image.bytes:,}"),
        Field("sha256", image.sha256),
        Field("created_at", image.created_at),
        Field("metadata", image.metadata and json.dumps(image.metadata, ensure_ascii=False)),
    ]
