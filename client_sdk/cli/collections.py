"""`lookalike collections`: lists, creates, deletes and reindexes collections."""

from typing import Annotated

import typer
from typer import Argument, Option

from client_sdk.cli import options as given
from client_sdk.cli.commands import Session, command
from client_sdk.cli.delete import confirm
from client_sdk.cli.following import report, watched
from client_sdk.cli.screen import Column, Field, fields_of
from client_sdk.schemas import Collection, Deleted

app: typer.Typer = typer.Typer(help="List collections, create, delete or reindex one.")

DescriptorOption = Annotated[
    str | None, Option(metavar="NAME", help="Such as vgg16-rmac4; by default the service chooses.")
]
COLUMNS = (
    Column[Collection]("name", lambda one: one.name, style="bold"),
    Column[Collection]("count", lambda one: one.count, right=True),
    Column[Collection]("descriptor", lambda one: one.descriptor),
    Column[Collection]("dimension", lambda one: one.dimension, right=True, style="dim"),
    Column[Collection]("precision", lambda one: one.precision, style="dim"),
    Column[Collection]("index", lambda one: one.index_type, style="dim"),
    Column[Collection]("expires", lambda one: one.expires_at, style="dim"),
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
    name: Annotated[str, Argument(metavar="NAME", help="Letters, digits, - _ and .")],
    *,
    descriptor: DescriptorOption = None,
    ttl: Annotated[
        int | None,
        Option(metavar="SECONDS", min=1, help="Delete it this long after its last change."),
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
    session.client.collection(name).delete()
    session.screen.number(Deleted(collection=name, deleted=count), count)


@command(app)
def reindex(
    session: Session,
    name: given.CollectionArgument,
    *,
    descriptor: DescriptorOption = None,
    drop_missing: Annotated[
        bool, Option("--drop-missing", help="Delete images whose originals are gone.")
    ] = False,
    wait: given.WaitOption = True,
) -> int:
    """Describe the images of a collection again, while it is searched."""
    job = session.client.collection(name).reindex(descriptor, drop_missing=drop_missing)
    return report(session, watched(session, job, wait=wait))


@command(app)
def undo(session: Session, name: given.CollectionArgument) -> None:
    """Switch searches back to the descriptors before the reindex."""
    now = session.client.collection(name).undo_reindex()
    session.screen.one(now, _fields(now))


@command(app)
def forget(session: Session, name: given.CollectionArgument) -> None:
    """Cancel an unfinished reindex, and drop the former descriptors."""
    session.client.collection(name).forget_reindex()
    session.screen.aside(f"{name} has only its current descriptors now")


def _fields(one: Collection) -> list[Field]:
    return [
        *fields_of(one, "name count descriptor dimension precision model fingerprint"),
        Field("index", one.index_type),
        *fields_of(one, "former preparing advice created_at expires_at"),
    ]
