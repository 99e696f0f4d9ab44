"""`python -m client_sdk train FOLDER`: indexes a folder, with nothing but the client installed.

The `lookalike` command, of the extra `cli`, does this and everything else; see `client_sdk.cli`.
"""

import argparse
import sys
from collections.abc import Sequence
from typing import TextIO

from client_sdk._progress import Progress, harmless, summarise
from client_sdk.client import Client
from client_sdk.errors import JobFailed, LookalikeError
from client_sdk.schemas import DEFAULT_COLLECTION, Job

DAY = 86_400.0
INTERRUPTED = 130  # what a shell expects of a program that Ctrl-C ended


def train(client: Client, options: argparse.Namespace, out: TextIO, log: TextIO) -> int:
    """Start a train call and watch it to its end.

    Returns:
        The exit code: 0 if the job is completed and not every file failed, 1 for any failure,
        130 if Ctrl-C ended the watching.
    """
    progress = Progress(log)
    started: Job | None = None
    try:
        if options.wait_ready:
            client.wait_ready(timeout=options.wait_ready)
        started = client.train(
            options.folder,
            collection=options.collection,
            prune=options.prune,
            dry_run=options.dry_run,
        )
        job = client.wait(started, timeout=options.timeout, on_progress=progress)
    except KeyboardInterrupt:
        progress.end()
        log.write(f"stopped watching; job {started.id} goes on\n" if started else "stopped\n")
        return INTERRUPTED
    except LookalikeError as error:
        progress.end()
        log.write(harmless(f"error: {error}") + "\n")
        if isinstance(error, JobFailed):
            out.write(summarise(error.job) + "\n")
        return 1
    progress.end()
    out.write(summarise(job) + "\n")
    return 1 if job.failed and not job.indexed and not job.duplicates else 0


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line as options; ends the program where it makes no sense."""
    parser = argparse.ArgumentParser(
        prog="python -m client_sdk",
        description="Talk to a Lookalike service. LOOKALIKE_TOKEN holds the token, if it asks.",
    )
    commands = parser.add_subparsers(dest="command", required=True)
    _add_options(commands.add_parser("train", help="index a folder and watch how far it has come"))
    return parser.parse_args(arguments)


def _add_options(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "folder",
        metavar="FOLDER",
        help="a folder or a file as the service sees it: absolute, or below its image root",
    )
    command.add_argument("--collection", default=DEFAULT_COLLECTION, help="where the images go")
    command.add_argument(
        "--prune", action="store_true", help="delete images whose files are gone from the folder"
    )
    command.add_argument(
        "--dry-run", action="store_true", help="change nothing, say what would become of the files"
    )
    command.add_argument("--url", help="where the service is (LOOKALIKE_URL)")
    command.add_argument(
        "--wait-ready",
        type=float,
        metavar="SECONDS",
        help="wait so long until the service is ready",
    )
    command.add_argument(
        "--timeout",
        type=float,
        default=DAY,
        metavar="SECONDS",
        help="stop watching after so long; the job goes on (a day)",
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    options = parse(arguments)
    try:
        client = Client(options.url)
    except LookalikeError as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    with client:
        return train(client, options, sys.stdout, sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
