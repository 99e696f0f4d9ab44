"""`lookalike train`: indexes files that the service can read, or that are sent to it."""

from pathlib import Path
from typing import Annotated

import typer

from client_sdk._calls.jobs import TrainKeywords
from client_sdk.cli import options as given
from client_sdk.cli.commands import Session
from client_sdk.cli.following import report, watched
from client_sdk.cli.sending import send_all
from client_sdk.errors import UsageError


def train(
    session: Session,
    paths: Annotated[
        list[str],
        typer.Argument(
            metavar="PATH...",
            help="A folder or file as the service sees it; with --upload folders, files and "
            "archives of this machine.",
        ),
    ],
    *,
    upload: Annotated[bool, typer.Option("--upload", help="Send what is on this machine.")] = False,
    collection: given.CollectionOption = given.DEFAULT,
    metadata: Annotated[
        list[str],
        typer.Option("--metadata", "-m", metavar="NAME=VALUE", help="Kept with every new image."),
    ] = [],  # noqa: B006 - Typer copies it
    manifest: Annotated[
        bool, typer.Option("--manifest", help="PATH is a list of what to add and to delete.")
    ] = False,
    root: Annotated[
        str | None, typer.Option(metavar="NAME", help="The image root of a relative path.")
    ] = None,
    recursive: Annotated[
        bool, typer.Option("--recursive/--flat", help="Also the folders below, or not.")
    ] = True,
    ignore: Annotated[
        list[str],
        typer.Option(metavar="PATTERN", help="Leave out, such as '*.gif' or 'drafts/'."),
    ] = [],  # noqa: B006 - Typer copies it
    prune: Annotated[
        bool, typer.Option("--prune", help="Delete images whose files are gone.")
    ] = False,
    verify_bytes: Annotated[
        bool, typer.Option("--verify-bytes", help="Read also what seems unchanged.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Change nothing; say what would be.")
    ] = False,
    wait_ready: Annotated[
        float | None,
        typer.Option(metavar="SECONDS", help="Wait so long until the service is ready."),
    ] = None,
    wait: given.WaitOption = True,
    strict: Annotated[
        bool, typer.Option("--strict", help="End with 1 if a single file failed.")
    ] = False,
) -> int | None:
    """Index a folder or a file, and watch how far it has come."""
    if wait_ready is not None:
        session.client.wait_ready(timeout=wait_ready)
    kept = given.metadata_of(metadata)
    by_path: dict[str, object] = {
        "prune": prune,
        "dry_run": dry_run,
        "verify_bytes": verify_bytes,
        "manifest": manifest,
        "root": root,
    }
    if upload:
        _check_alone(by_path)
        return send_all(
            session,
            [Path(path) for path in paths],
            collection=collection,
            metadata=kept,
            ignore=ignore,
            recursive=recursive,
            wait=wait,
            strict=strict,
        )
    path = _only(paths)
    keywords: TrainKeywords = {
        "collection": collection,
        "root": root,
        "metadata": kept,
        "verify_bytes": verify_bytes,
        "dry_run": dry_run,
    }
    client = session.client
    if manifest:
        job = client.train(manifest=path, **keywords)
    else:
        job = client.train(path, recursive=recursive, ignore=ignore, prune=prune, **keywords)
    return report(session, watched(session, job, wait=wait), strict=strict)


def _only(paths: list[str]) -> str:
    if len(paths) == 1:
        return paths[0]
    raise UsageError(
        f"{len(paths)} paths, and the service walks one folder at a time; to send files of this "
        "machine, add --upload"
    )


def _check_alone(by_path: dict[str, object]) -> None:
    if names := [name for name, value in by_path.items() if value]:
        raise UsageError(
            f"--{names[0].replace('_', '-')} is for what the service reads itself, and --upload "
            "sends what is here; leave one of them out"
        )
