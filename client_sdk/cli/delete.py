"""`lookalike delete`: deletes images by id, by a filter, or all of a collection."""

import json
from collections.abc import Sequence
from typing import Annotated, BinaryIO

import typer
from typer import Argument, Option

from client_sdk._arguments import fitting
from client_sdk.cli import options as given
from client_sdk.cli.codes import Code
from client_sdk.cli.commands import Session
from client_sdk.errors import UsageError
from client_sdk.schemas import MAX_IDS, Deleted


def delete(
    session: Session,
    ids: Annotated[
        list[str],
        Argument(
            metavar="ID",
            help="Ids; - reads them from standard input, one a line, as images and search "
            "print them.",
        ),
    ] = [],
    *,
    collection: given.CollectionOption = given.DEFAULT,
    filter: given.FilterOption = None,
    everything: Annotated[bool, Option("--all", help="Every image of the collection.")] = False,
    yes: given.YesOption = False,
) -> int:
    """Delete images; the files in image roots are not deleted."""
    if [bool(ids), filter is not None, everything].count(True) != 1:
        raise UsageError("give exactly one of ids, --filter and --all")
    client = session.client
    if everything:
        number = client.count(collection=collection)
        confirm(session, f"delete all {number} images of {collection}", yes=yes)
        deleted = client.delete(all=True, collection=collection)
    elif filter is not None:
        deleted = client.delete(filter=filter, collection=collection)
    else:
        listed = _ids(ids, session.around.stdin)
        deleted = sum(
            client.delete(listed[at : at + MAX_IDS], collection=collection)
            for at in range(0, len(listed), MAX_IDS)
        )
    session.screen.number(Deleted(collection=collection, deleted=deleted), deleted)
    return Code.DONE if deleted else Code.NO


def confirm(session: Session, question: str, *, yes: bool) -> None:
    """Ask for confirmation of an irreversible action, unless `yes` is true.

    Raises:
        UsageError: If there is no terminal to ask on.
        Abort: If the answer is not yes.
    """
    if yes:
        return
    if not session.asks:
        raise UsageError(f"this would {question}; without a terminal to confirm it, add --yes")
    typer.confirm(f"{question[0].upper()}{question[1:]}?", abort=True, err=True)


def _ids(words: Sequence[str], stdin: BinaryIO) -> list[int]:
    if list(words) != ["-"]:
        return [_id(word) for word in words]
    if stdin.isatty():
        raise UsageError("- reads ids from a pipe: lookalike images --filter ... | ... delete -")
    lines = filter(None, (line.decode("utf-8", "replace").strip() for line in stdin))
    return [
        _id_of_document(line) if line.startswith("{") else _id(line.split()[0]) for line in lines
    ]


def _id_of_document(line: str) -> int:
    try:
        document = json.loads(line)
        return int(fitting("id", document.get("id", document.get("image_id")), int))
    except (AttributeError, ValueError) as error:
        raise UsageError(f"this line of JSON has no id: {line[:60]}") from error


def _id(word: str) -> int:
    number = word.removeprefix("id:")
    if not (number.isascii() and number.isdigit()):
        raise UsageError(f"{word!r} is not the id of an image; nothing was deleted")
    return int(number)
