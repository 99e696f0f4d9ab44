"""Bulk ingest: `python -m bento_service.bulk IMAGES OUT --model FOLDER`.

It describes all pictures below IMAGES outside of the service and writes them into the folder OUT,
from which `python -m bento_service.admin import` takes them. It works on a Ray cluster, or in this
process with `--in-process`. A run that was interrupted continues when it is started again. All
machines need IMAGES, OUT and the model under the same paths. The LOOKALIKE_ settings of limits and
engine are those of the service. docs/bulk.md explains it.
"""

import argparse
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from bento_service.admin.answer import Answer, Refusal, answered
from bento_service.bulk.running import IMAGES_A_SHARD, BulkOptions, describe_folder
from bento_service.bulk.steps import InProcess
from bento_service.settings import Settings
from bento_service.settings.root_list import parse_place


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, and return the exit code: those of the operator's commands."""
    options = vars(_parser().parse_args(arguments))
    return answered(
        partial(_run, options),
        as_json=options.pop("json"),
        interrupted="interrupted; start it again to continue",
    )


def _run(options: dict[str, Any]) -> Answer:
    settings = Settings.from_environment()
    in_process, address = options.pop("in_process"), options.pop("address")
    resources = {name: options.pop(name) for name in ("actors", "cpus", "gpus")}
    bulk = BulkOptions(**options | {"ignore": tuple(options["ignore"])})
    if in_process:
        return describe_folder(settings, bulk, InProcess())
    # Ray is not installed everywhere, and takes seconds to load.
    try:
        from bento_service.bulk.ray_cluster import connected
    except ModuleNotFoundError as error:
        raise Refusal(
            f"{error}; install lookalike-service[bulk], or describe with --in-process"
        ) from error
    with connected(address, **resources) as cluster:
        return describe_folder(settings, bulk, cluster)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bento_service.bulk",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "images",
        type=parse_place,
        metavar="IMAGES",
        help="the folder of the pictures, or an address such as s3://bucket/prefix",
    )
    parser.add_argument("out", type=Path, metavar="OUT", help="a new folder, or one to continue")
    parser.add_argument(
        "--model",
        type=Path,
        required=True,
        metavar="FOLDER",
        help="a model that `python -m model_build --export FOLDER` wrote",
    )
    parser.add_argument("--root", metavar="NAME", help="name of the image root (IMAGES' own)")
    parser.add_argument(
        "--ignore", action="append", default=[], metavar="PATTERN", help="skip these files"
    )
    parser.add_argument(
        "--images-a-shard",
        type=_positive,
        default=IMAGES_A_SHARD,
        metavar="N",
        help=f"most images of one file, the unit that is repeated ({IMAGES_A_SHARD})",
    )
    parser.add_argument(
        "--threads", type=_positive, default=1, metavar="N", help="cores of each process (1)"
    )
    parser.add_argument("--json", action="store_true", help="print the answer as JSON")
    _add_cluster(parser.add_argument_group("where it runs"))
    return parser


def _add_cluster(group: "argparse._ArgumentGroup") -> None:
    group.add_argument("--in-process", action="store_true", help="without Ray, in this process")
    group.add_argument(
        "--address",
        metavar="ADDRESS",
        help="of a Ray cluster, `auto` on a machine of it (default: a new one on this machine)",
    )
    group.add_argument(
        "--actors", type=_positive, metavar="N", help="processes that describe (one for each CPU)"
    )
    group.add_argument(
        "--cpus",
        type=float,
        default=0.5,
        metavar="X",
        help="CPUs that Ray counts for each; below 1, so that the actors of a lost machine find "
        "room elsewhere (0.5)",
    )
    group.add_argument(
        "--gpus", type=float, metavar="X", help="GPUs for each (0.25 where there are some)"
    )


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not positive")
    return number


if __name__ == "__main__":
    sys.exit(main())
