"""The operator's commands: `python -m bento_service.admin COMMAND`.

They read the same LOOKALIKE_ settings as the service. The answer goes to standard output, progress
to standard error. Exit codes: 0 all is well, 1 done but something is to be looked at, 2 it cannot
run. docs/admin.md explains each command.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from bento_service.admin.answer import CANNOT_RUN, Answer, Refusal
from bento_service.admin.backup import back_up
from bento_service.admin.compact import compact
from bento_service.admin.recall import Measurement, recall
from bento_service.admin.restore import restore
from bento_service.admin.roots import forget_root, list_roots
from bento_service.admin.verify import Verification, verify
from bento_service.errors import CatalogueUnavailable, LookalikeError
from bento_service.settings import Settings, SettingsError
from client_sdk.schemas import DEFAULT_COLLECTION


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    options = _parser().parse_args(arguments)
    try:
        answer = _run(Settings.from_environment(), options)
    except CatalogueUnavailable as error:
        cause = getattr(error.__cause__, "orig", error.__cause__)
        what = str(cause).splitlines()[0]
        return _refused(f"the catalogue does not answer ({what}); if it is damaged, restore it")
    except (Refusal, SettingsError, LookalikeError, OSError) as error:
        return _refused(str(error))
    except KeyboardInterrupt:
        return _refused("interrupted; run it again, nothing is left half done")
    print(json.dumps(answer.record, indent=2) if options.json else "\n".join(answer.lines))
    return answer.code


def _refused(message: str) -> int:
    print(f"lookalike: {message}", file=sys.stderr)
    return CANNOT_RUN


def _run(settings: Settings, options: argparse.Namespace) -> Answer:
    match options.command:
        case "verify":
            return verify(
                settings,
                Verification(
                    collection=options.collection,
                    deep=options.deep,
                    catalogue_only=options.catalogue_only,
                    repair=options.repair,
                    drop_missing=options.drop_missing,
                    dry_run=options.dry_run,
                ),
            )
        case "backup":
            return back_up(settings, options.target, dry_run=options.dry_run)
        case "restore":
            return restore(settings, options.source, force=options.force, dry_run=options.dry_run)
        case "roots" if options.forget is not None:
            return forget_root(settings, options.forget, dry_run=options.dry_run)
        case "roots":
            return list_roots(settings)
        case "compact":
            return compact(settings, dry_run=options.dry_run)
        case "recall":
            return recall(
                settings,
                Measurement(
                    collection=options.collection,
                    sample=options.sample,
                    top_k=options.top_k,
                    at_least=options.at_least,
                    dry_run=options.dry_run,
                ),
            )
        case _:
            return _run_interchange(settings, options)


def _run_interchange(settings: Settings, options: argparse.Namespace) -> Answer:
    # Parquet takes half a second to load, and the other commands do without.
    from bento_service.admin.exporting import export
    from bento_service.admin.importing import ImportOptions, import_images

    if options.command == "export":
        return export(
            settings,
            options.file,
            collection=options.collection,
            force=options.force,
            dry_run=options.dry_run,
        )
    return import_images(
        settings,
        options.file,
        ImportOptions(
            collection=options.collection,
            uploads=options.uploads,
            without_bytes=options.without_bytes,
            dry_run=options.dry_run,
        ),
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bento_service.admin",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    shared = argparse.ArgumentParser(add_help=False)
    _flag(shared, "--dry-run", "say what would be done, change nothing")
    _flag(shared, "--json", "answer for programs")
    _add_verify(commands.add_parser("verify", parents=[shared], help=_VERIFY))
    backup = commands.add_parser("backup", parents=[shared], help=_BACKUP)
    backup.add_argument("target", type=Path, metavar="TARGET", help="a folder of its own")
    restoring = commands.add_parser("restore", parents=[shared], help=_RESTORE)
    restoring.add_argument("source", type=Path, metavar="SOURCE", help="what backup wrote")
    _flag(restoring, "--force", "replace what the data folder holds")
    exporting = commands.add_parser("export", parents=[shared], help=_EXPORT)
    exporting.add_argument("file", type=Path, metavar="FILE.parquet")
    exporting.add_argument("--collection", default=DEFAULT_COLLECTION, metavar="NAME")
    _flag(exporting, "--force", "replace the file")
    _add_import(commands.add_parser("import", parents=[shared], help=_IMPORT))
    commands.add_parser("compact", parents=[shared], help=_COMPACT)
    roots = commands.add_parser("roots", parents=[shared], help=_ROOTS)
    roots.add_argument("--forget", metavar="NAME", help="read this one no more; its images stay")
    _add_recall(commands.add_parser("recall", parents=[shared], help=_RECALL))
    return parser


def _add_recall(command: argparse.ArgumentParser) -> None:
    command.add_argument("--collection", metavar="NAME", help="measure this one alone")
    command.add_argument("--sample", type=int, default=200, metavar="N", help="queries (200)")
    command.add_argument("--top-k", type=int, default=10, metavar="K", help="neighbours (10)")
    command.add_argument(
        "--at-least", type=float, default=0.99, metavar="R", help="exit code 1 below this (0.99)"
    )


def _add_verify(command: argparse.ArgumentParser) -> None:
    command.add_argument("--collection", metavar="NAME", help="look at this one alone")
    _flag(command, "--deep", "also read and hash all bytes, and look at the descriptors")
    _flag(command, "--catalogue-only", "leave the index out, while the service runs")
    _flag(command, "--repair", "put right what can be; the service must be stopped")
    _flag(command, "--drop-missing", "with --repair: delete images whose bytes are gone")


def _add_import(command: argparse.ArgumentParser) -> None:
    command.add_argument("file", type=Path, metavar="FILE.parquet")
    command.add_argument("--collection", required=True, metavar="NAME", help="made if not there")
    command.add_argument(
        "--uploads", type=Path, metavar="FOLDER", help="take the bytes of uploads from here"
    )
    _flag(command, "--without-bytes", "take images, too, whose bytes are not here")


def _flag(parser: argparse.ArgumentParser, name: str, explanation: str) -> None:
    parser.add_argument(name, action="store_true", help=explanation)


_VERIFY = "compare files, catalogue and index"
_BACKUP = "copy the catalogue and the uploads, while the service runs"
_RESTORE = "put a backup into the data folder"
_EXPORT = "write a collection with its descriptors as Parquet"
_IMPORT = "read such a file into a collection"
_RECALL = "compare what searches find with what exact search finds"
_COMPACT = "give back the disk that deleted images left behind"
_ROOTS = "list the image roots that are remembered; forget one"

if __name__ == "__main__":
    sys.exit(main())
