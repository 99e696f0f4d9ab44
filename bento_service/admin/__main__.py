"""The operator's commands: `python -m bento_service.admin COMMAND`.

They read the same LOOKALIKE_ settings as the service. The answer goes to standard output, progress
to standard error. Exit codes: 0 success, 1 done but something needs attention, 2 the command cannot
run. docs/admin.md explains each command.
"""

import argparse
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from bento_service.admin.answer import Answer, Refusal, answered
from bento_service.settings import Settings
from client_sdk.schemas import DEFAULT_COLLECTION


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return the exit code."""
    options = vars(_parser().parse_args(arguments))
    return answered(
        partial(_run, options.pop("command"), options),
        as_json=options.pop("json"),
        interrupted="interrupted; run the command again, nothing is left half done",
    )


def _run(command: str, options: dict[str, Any]) -> Answer:
    """Run a command, whose parameters are named like its options.

    Each command imports its own libraries, because it may run in the memory that a service leaves.
    """
    settings = Settings.from_environment()
    match command:
        case "verify":
            from bento_service.admin.verify import Verification, verify

            return verify(settings, Verification(**options))
        case "backup":
            from bento_service.admin.backup import back_up

            return back_up(settings, **options)
        case "restore":
            from bento_service.admin.restore import restore

            return restore(settings, **options)
        case "roots":
            return _roots(settings, **options)
        case "compact":
            from bento_service.admin.compact import compact

            return compact(settings, **options)
        case "recall":
            from bento_service.admin.recall import Measurement, recall

            return recall(settings, Measurement(**options))
    return _exchange(command, settings, options)


def _roots(settings: Settings, *, forget: str | None, dry_run: bool) -> Answer:
    from bento_service.admin.roots import forget_root, list_roots

    if forget is None:
        return list_roots(settings)
    return forget_root(settings, forget, dry_run=dry_run)


def _exchange(command: str, settings: Settings, options: dict[str, Any]) -> Answer:
    """Run `export` or `import`, which need pyarrow; not every service has it."""
    try:
        from bento_service.gallery.hiding import load_pyarrow

        load_pyarrow()
        from bento_service.admin.exporting import export
        from bento_service.admin.importing import import_images
        from bento_service.admin.selection import ImportOptions
    except ModuleNotFoundError as error:
        raise Refusal(f"{error}; install lookalike-service[lite]") from error
    if command == "export":
        return export(settings, **options)
    return import_images(settings, options.pop("path"), ImportOptions(**options))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bento_service.admin",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    shared = argparse.ArgumentParser(add_help=False)
    _flag(shared, "--dry-run", "report what would be done, change nothing")
    _flag(shared, "--json", "print the answer as JSON")
    add = partial(commands.add_parser, parents=[shared])
    _add_verify(add("verify", help="compare files, catalogue and index"))
    backup = add("backup", help="copy the catalogue and the uploads, while the service runs")
    backup.add_argument(
        "target", type=Path, metavar="TARGET", help="a new folder, or one of earlier backups"
    )
    restoring = add("restore", help="restore a backup into the data folder")
    restoring.add_argument("source", type=Path, metavar="SOURCE", help="the folder of a backup")
    _flag(restoring, "--force", "replace the contents of the data folder")
    exporting = add("export", help="write a collection with its descriptors as Parquet")
    exporting.add_argument("file", type=Path, metavar="FILE.parquet")
    exporting.add_argument("--collection", default=DEFAULT_COLLECTION, metavar="NAME")
    _flag(exporting, "--force", "replace the file")
    _add_import(add("import", help="import such a file, or a folder of them, into a collection"))
    add("compact", help="free the disk space of deleted images")
    roots = add("roots", help="list the image roots in the catalogue, or forget one")
    roots.add_argument("--forget", metavar="NAME", help="stop reading this root; its images stay")
    _add_recall(add("recall", help="compare the hits of searches with those of exact search"))
    return parser


def _add_recall(command: argparse.ArgumentParser) -> None:
    command.add_argument("--collection", metavar="NAME", help="measure only this collection")
    command.add_argument("--sample", type=int, default=200, metavar="N", help="queries (200)")
    command.add_argument("--top-k", type=int, default=10, metavar="K", help="neighbours (10)")
    command.add_argument(
        "--at-least", type=float, default=0.99, metavar="R", help="exit code 1 below this (0.99)"
    )


def _add_verify(command: argparse.ArgumentParser) -> None:
    command.add_argument("--collection", metavar="NAME", help="check only this collection")
    _flag(command, "--deep", "also read and hash all bytes, and check the descriptors")
    _flag(command, "--catalogue-only", "skip the index; the service may run")
    _flag(command, "--repair", "repair what can be repaired; the service must be stopped")
    _flag(command, "--drop-missing", "with --repair: delete images whose bytes are gone")


def _add_import(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "path", type=Path, metavar="PATH", help="a Parquet file, or a folder with a manifest"
    )
    command.add_argument("--collection", required=True, metavar="NAME", help="created if missing")
    command.add_argument(
        "--uploads", type=Path, metavar="FOLDER", help="copy the bytes of uploads from here"
    )
    _flag(command, "--by-size", "compare files by their size alone, without reading them")
    _flag(command, "--without-bytes", "also import images whose bytes are missing here")


def _flag(parser: argparse.ArgumentParser, name: str, explanation: str) -> None:
    parser.add_argument(name, action="store_true", help=explanation)


if __name__ == "__main__":
    sys.exit(main())
