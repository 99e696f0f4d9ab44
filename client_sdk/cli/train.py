"""`lookalike train`: indexes files that the service can read, or that are sent to it."""

import os
from pathlib import Path
from typing import Annotated

import httpx
from typer import Argument, Option

from client_sdk._calls.options import TrainKeywords
from client_sdk._transport import settings
from client_sdk.cli import options as given
from client_sdk.cli.commands import Session
from client_sdk.cli.following import report, watched
from client_sdk.cli.sending import send_all
from client_sdk.errors import Forbidden, LookalikeError, UsageError


def train(
    session: Session,
    paths: Annotated[
        list[str],
        Argument(
            metavar="PATH",
            help="A folder or file as the service sees it; with --upload folders, files and "
            "archives of this machine.",
        ),
    ],
    *,
    upload: Annotated[bool, Option("--upload", help="Send files of this machine.")] = False,
    collection: given.CollectionOption = given.DEFAULT,
    metadata: Annotated[
        list[str],
        Option("--metadata", "-m", metavar="NAME=VALUE", help="Stored with every new image."),
    ] = [],
    manifest: Annotated[
        bool, Option("--manifest", help="PATH is a list of images to add and to delete.")
    ] = False,
    root: Annotated[
        str | None, Option(metavar="NAME", help="The image root of a relative path.")
    ] = None,
    recursive: Annotated[
        bool, Option("--recursive/--flat", help="Include subfolders, or not.")
    ] = True,
    ignore: Annotated[
        list[str], Option(metavar="PATTERN", help="Skip these, such as '*.gif' or 'drafts/'.")
    ] = [],
    prune: Annotated[bool, Option("--prune", help="Delete images whose files are gone.")] = False,
    verify_bytes: Annotated[
        bool, Option("--verify-bytes", help="Read also files that seem unchanged.")
    ] = False,
    follow_links: Annotated[
        bool, Option("--follow-links", help="Follow links that stay under the image root.")
    ] = False,
    dry_run: Annotated[
        bool, Option("--dry-run", help="Change nothing; report what would happen.")
    ] = False,
    wait_ready: Annotated[
        float | None,
        Option(metavar="SECONDS", help="Wait at most this long until the service is ready."),
    ] = None,
    wait: given.WaitOption = True,
    strict: Annotated[bool, Option("--strict", help="Exit with 1 if any file failed.")] = False,
) -> int | None:
    """Index a folder or a file, and show the progress."""
    if wait_ready is not None:
        session.client.wait_ready(timeout=wait_ready)
    kept = given.metadata_of(metadata)
    keywords: TrainKeywords = {
        "root": root,
        "verify_bytes": verify_bytes,
        "follow_links": follow_links,
        "dry_run": dry_run,
    }
    if upload:
        _check_alone({"prune": prune, "manifest": manifest, **keywords})
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
    path, client = _only(paths), session.client
    keywords |= {"collection": collection, "metadata": kept}
    try:
        if manifest:
            job = client.train(manifest=path, **keywords)
        else:
            job = client.train(path, recursive=recursive, ignore=ignore, prune=prune, **keywords)
    except Forbidden as error:
        raise _explained(session, path, error) from error
    return report(session, watched(session, job, wait=wait), strict=strict)


def _explained(session: Session, path: str, error: Forbidden) -> Forbidden:
    """Return the error of a rejected path, with the image roots or that it does not exist."""
    try:
        info = session.client.info()
    except LookalikeError:
        return error
    if info.scopes and "train" not in info.scopes:
        return error  # the token was rejected, not the path
    here = settings.is_this_machine(httpx.URL(session.url).host)
    if here and Path(path).is_absolute() and not os.path.exists(path):  # noqa: PTH110 - never raises
        more = f"there is no {path} on this machine"
    else:
        roots = ", ".join(info.image_roots)
        more = f"image roots: {roots or 'none'}; --upload sends files of this machine"
    return Forbidden(error.status, error.code, f"{error.detail}; {more}", error.request_id)


def _only(paths: list[str]) -> str:
    if len(paths) == 1:
        return paths[0]
    raise UsageError(
        f"{len(paths)} paths are given, but the service reads one folder per command; to send "
        "files of this machine, add --upload"
    )


def _check_alone(options: dict[str, object]) -> None:
    if names := [name for name, value in options.items() if value]:
        raise UsageError(
            f"--{names[0].replace('_', '-')} applies to files that the service reads, and --upload "
            "sends files of this machine; give only one of them"
        )
