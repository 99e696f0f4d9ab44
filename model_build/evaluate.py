"""The command `python -m model_build.evaluate`: measures how well descriptors rank pictures.

Progress on standard error, the table on standard output. docs/evaluation.md explains the protocols
and the measures.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from bento_service.errors import LookalikeError
from bento_service.settings.cores import usable_cores
from model_build.errors import EvaluationError
from model_build.evaluation.copies import SAMPLE, copies
from model_build.evaluation.describers import NAMES, describers
from model_build.evaluation.evaluation import evaluate
from model_build.evaluation.folders import labelled_folders
from model_build.evaluation.ground_truth import ground_truth
from model_build.evaluation.listed import labelled_list, query_relevant_pairs
from model_build.evaluation.measures import MEASURES
from model_build.evaluation.protocol import Protocol
from model_build.evaluation.report import record, table
from model_build.evaluation.thresholds import Threshold


def main(arguments: Sequence[str] | None = None) -> int:
    """Evaluate and return the exit code: 1 for a failure or a value below `--fail-under`."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if problem := _contradiction(options):
        parser.error(problem)
    try:
        return _run(options)
    except (EvaluationError, LookalikeError, OSError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        return 130


def _run(options: argparse.Namespace) -> int:
    names = options.describe
    for threshold in options.fail_under:
        threshold.check_against(names)
    protocol = _protocol(options)
    threads = usable_cores()
    evaluation = evaluate(protocol, names, describers(names, options.models, threads=threads))
    on_stdout = str(options.json) == "-"
    (sys.stderr if on_stdout else sys.stdout).write(table(evaluation))
    if options.json is not None:
        text = json.dumps(record(evaluation), indent=2) + "\n"
        if on_stdout:
            sys.stdout.write(text)
        else:
            options.json.write_text(text)
    failures = [text for least in options.fail_under if (text := least.failure(evaluation.rows))]
    sys.stderr.write("".join(f"failed: {text}\n" for text in failures))
    return 1 if failures else 0


def _protocol(options: argparse.Namespace) -> Protocol:
    if options.csv:
        return labelled_list(options.csv)
    if options.pairs:
        return query_relevant_pairs(options.pairs, options.folders)
    if options.ground_truth:
        return ground_truth(options.ground_truth, options.folders)
    if options.copies:
        return copies(options.folders, sample=options.sample or SAMPLE, seed=options.seed or 0)
    return labelled_folders(options.folders, label_depth=options.label_depth)


def _contradiction(options: argparse.Namespace) -> str | None:
    """Return the contradiction of the command line, if there is one."""
    if options.csv and options.folders:
        return "--csv names its pictures itself; give no folders with it"
    if not options.folders and not (options.csv or options.pairs):
        return "give at least one folder of pictures"
    if not options.copies and (options.sample is not None or options.seed is not None):
        return "--sample and --seed belong to --copies"
    by_folder = not (options.csv or options.pairs or options.ground_truth or options.copies)
    if options.label_depth is not None and not by_folder:
        return "--label-depth belongs to labelled folders"
    return None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m model_build.evaluate",
        description="Measure how well descriptors rank pictures: mean average precision, recall "
        "at 1 and 10, differences with intervals. Without another protocol a picture's label is "
        "the folder that holds it, and every picture asks for the others of its label.",
    )
    parser.add_argument("folders", nargs="*", type=Path, metavar="FOLDER", help="pictures")
    _add_protocols(parser)
    _add_rows(parser)
    _add_output(parser)
    return parser


def _add_protocols(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--label-depth",
        type=_positive,
        metavar="N",
        help="of the folders below FOLDER only the N upper ones are the label (default: all)",
    )
    protocols = parser.add_mutually_exclusive_group()
    protocols.add_argument(
        "--csv", type=Path, metavar="FILE", help="labels from a file with the columns path,label"
    )
    protocols.add_argument(
        "--pairs",
        type=Path,
        metavar="FILE",
        help="right answers from a file with the columns query,relevant; FOLDERs are searched too",
    )
    protocols.add_argument(
        "--ground-truth",
        type=Path,
        metavar="DIR",
        help="right answers from the files of Oxford, Paris or Holidays; FOLDERs hold the pictures",
    )
    protocols.add_argument(
        "--copies",
        action="store_true",
        help="edited copies of a sample of the pictures in FOLDERs ask for their originals",
    )
    parser.add_argument(
        "--sample",
        type=_positive,
        metavar="N",
        help=f"originals that are edited (default: {SAMPLE})",
    )
    parser.add_argument(
        "--seed", type=int, metavar="S", help="draws the sample and the edits (default: 0)"
    )


def _add_rows(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--describe",
        type=_names,
        default=NAMES,
        metavar="NAME[,NAME...]",
        help="the descriptors; differences are to the first (default: " + ",".join(NAMES) + ")",
    )
    parser.add_argument(
        "--models",
        type=Path,
        metavar="DIR",
        help="the models folder of a BentoML store (default: the one in BENTOML_HOME)",
    )


def _add_output(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--json",
        type=Path,
        metavar="FILE",
        help="also write everything to a file; - is standard output, and the table moves to "
        "standard error",
    )
    parser.add_argument(
        "--fail-under",
        action="append",
        type=_threshold,
        default=[],
        metavar="NAME[:MEASURE]=VALUE",
        help="end with 1 if a measure (default: " + MEASURES[0] + ") is below VALUE, a share "
        "such as 0.40; may be repeated; measures: " + ", ".join(MEASURES),
    )


def _names(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name.strip() for name in text.split(",")))


def _positive(text: str) -> int:
    number = int(text) if text.isdecimal() else 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 on")
    return number


def _threshold(text: str) -> Threshold:
    try:
        return Threshold.parsed(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


if __name__ == "__main__":
    sys.exit(main())
