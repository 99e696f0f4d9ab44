"""`lookalike collections`: lists, creates, deletes and reindexes collections."""

from typing import Annotated

import typer

from client_sdk.cli import options as given
from client_sdk.cli.commands import Session, command
from client_sdk.cli.delete import confirm
from client_sdk.cli.following import report, watched
from client_sdk.cli.screen import Column, Field
from client_sdk.schemas import Collection, Deleted

app: typer.Typer = typer.Typer(help="List collections, create, delete or reindex one.")

DescriptorOption = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="Such as vgg16-rmac4; the service chooses without."),
]
COLUMNS = (
    Column[Collection]("name", lambda one: one.name, style="bold"),
    Column[Collection]("count", lambda one: one.count, right=True),
    Column[Collection]("descriptor", lambda one: one.descriptor),
    Column[Collection]("dimension", lambda one: one.dimension, right=True, style="dim"),
    Column[Collection]("precision", lambda one: one.precision, style="dim"),
    Column[Collection]("index", lambda one: one.index_type, style="dim"),
    Column[Collection](
        "expires",
        lambda one: one.expires_at and one.expires_at.isoformat(timespec="seconds"),
        lambda one: f"{one.expires_at.astimezone():%Y-%m-%d %H:%M}" if one.expires_at else "",
        style="dim",
    ),
)


@command(app, group=True)
def collections(session: Session) -> None:
    """List the collections."""
    found = session.client.collections()
    session.screen.many(found, COLUMNS)
    for one in found:
        if one.advice:
            session.screen.aside(f"{one.name}: {one.advice}")


@command(app)
def create(
    session: Session,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Letters, digits, - _ and .")],
    *,
    descriptor: DescriptorOption = None,
    ttl: Annotated[
        int | None,
        typer.Option(metavar="SECONDS", min=1, help="Have it deleted so long after its last use."),
    ] = None,
) -> None:
    """Create an empty collection."""
    made = session.client.create_collection(name, descriptor, ttl_seconds=ttl)
    session.screen.one(made, _fields(made))


@command(app)
def delete(
    session: Session, name: given.CollectionArgument, *, yes: given.YesOption = False
) -> None:
    """Delete a collection and all images in it."""
    count = session.client.count(collection=name)
    confirm(session, f"delete the collection {name} with {count} images", yes=yes)
    session.client.delete_collection(name)
    session.screen.number(Deleted(collection=name, deleted=count), count)


@command(app)
def reindex(
    session: Session,
    name: given.CollectionArgument,
    *,
    descriptor: DescriptorOption = None,
    drop_missing: Annotated[
        bool, typer.Option("--drop-missing", help="Delete images whose originals are gone.")
    ] = False,
    wait: given.WaitOption = True,
) -> int:
    """Describe the images of a collection anew, while it is searched."""
    job = session.client.reindex(name, descriptor, drop_missing=drop_missing)
    return report(session, watched(session, job, wait=wait))


@command(app)
def undo(session: Session, name: given.CollectionArgument) -> None:
    """Let searches use the descriptors from before the reindex again."""
    now = session.client.undo_reindex(name)
    session.screen.one(now, _fields(now))


@command(app)
def forget(session: Session, name: given.CollectionArgument) -> None:
    """Give up an unfinished reindex, and drop the former descriptors."""
    session.client.forget_reindex(name)
    session.screen.aside(f"{name} keeps only its present descriptors")


def _fields(one: Collection) -> list[Field]:
    return [
        Field("name", one.name),
        Field("count", one.count),
        Field("descriptor", one.descriptor),
        Field("dimension", one.dimension),
        Field("precision", one.precision),
        Field("model", one.model),
        Field("fingerprint", one.fingerprint),
        Field("index", one.index_type),
        Field("former", one.former),
        Field("preparing", one.preparing),
        Field("advice", one.advice),
        Field("created_at", one.created_at),
        Field("expires_at", one.expires_at),
    ]
