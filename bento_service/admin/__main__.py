"""The operator's commands: `python -m bento_service.admin COMMAND`.

They read the same LOOKALIKE_ settings as the service. The answer goes to standard output, progress
to standard error. Exit codes: 0 success, 1 done but something needs attention, 2 the command cannot
run. docs/admin.md explains each command.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

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
    """Run one command and return the exit code."""
    options = vars(_parser().parse_args(arguments))
    command, as_json = options.pop("command"), options.pop("json")
    try:
        answer = _run(Settings.from_environment(), command, options)
    except CatalogueUnavailable as error:
        cause = getattr(error.__cause__, "orig", error.__cause__)
        reason = str(cause).splitlines()[0]
        return _refused(f"the catalogue does not answer ({reason}); if it is damaged, restore it")
    except (Refusal, SettingsError, LookalikeError, OSError) as error:
        return _refused(str(error))
    except KeyboardInterrupt:
        return _refused("interrupted; run the command again, nothing is left half done")
    print(json.dumps(answer.record, indent=2) if as_json else "\n".join(answer.lines))
    return answer.code


def _refused(message: str) -> int:
    print(f"lookalike: {message}", file=sys.stderr)
    return CANNOT_RUN


def _run(settings: Settings, command: str, options: dict[str, Any]) -> Answer:
    """Run a command, whose parameters are named like its options."""
    match command:
        case "verify":
            return verify(settings, Verification(**options))
        case "backup":
            return back_up(settings, **options)
        case "restore":
            return restore(settings, **options)
        case "roots" if options["forget"] is None:
            return list_roots(settings)
        case "roots":
            return forget_root(settings, options["forget"], dry_run=options["dry_run"])
        case "compact":
            return compact(settings, **options)
        case "recall":
            return recall(settings, Measurement(**options))
    # Parquet takes half a second to load, and the other commands do not need it.
    from bento_service.admin.exporting import export
    from bento_service.admin.importing import ImportOptions, import_images

    if command == "export":
        return export(settings, **options)
    return import_images(settings, options.pop("file"), ImportOptions(**options))


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
    _add_verify(commands.add_parser("verify", parents=[shared], help=_VERIFY))
    backup = commands.add_parser("backup", parents=[shared], help=_BACKUP)
    backup.add_argument(
        "target", type=Path, metavar="TARGET", help="a new folder, or one of earlier backups"
    )
    restoring = commands.add_parser("restore", parents=[shared], help=_RESTORE)
    restoring.add_argument("source", type=Path, metavar="SOURCE", help="the folder of a backup")
    _flag(restoring, "--force", "replace the contents of the data folder")
    exporting = commands.add_parser("export", parents=[shared], help=_EXPORT)
    exporting.add_argument("file", type=Path, metavar="FILE.parquet")
    exporting.add_argument("--collection", default=DEFAULT_COLLECTION, metavar="NAME")
    _flag(exporting, "--force", "replace the file")
    _add_import(commands.add_parser("import", parents=[shared], help=_IMPORT))
    commands.add_parser("compact", parents=[shared], help=_COMPACT)
    roots = commands.add_parser("roots", parents=[shared], help=_ROOTS)
    roots.add_argument("--forget", metavar="NAME", help="stop reading this root; its images stay")
    _add_recall(commands.add_parser("recall", parents=[shared], help=_RECALL))
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
    command.add_argument("file", type=Path, metavar="FILE.parquet")
    command.add_argument("--collection", required=True, metavar="NAME", help="created if missing")
    command.add_argument(
        "--uploads", type=Path, metavar="FOLDER", help="copy the bytes of uploads from here"
    )
    _flag(command, "--without-bytes", "also import images whose bytes are missing here")


def _flag(parser: argparse.ArgumentParser, name: str, explanation: str) -> None:
    parser.add_argument(name, action="store_true", help=explanation)


_VERIFY = "compare files, catalogue and index"
_BACKUP = "copy the catalogue and the uploads, while the service runs"
_RESTORE = "restore a backup into the data folder"
_EXPORT = "write a collection with its descriptors as Parquet"
_IMPORT = "import such a file into a collection"
_RECALL = "compare the hits of searches with those of exact search"
_COMPACT = "free the disk space of deleted images"
_ROOTS = "list the image roots in the catalogue, or forget one"

if __name__ == "__main__":
    sys.exit(main())
