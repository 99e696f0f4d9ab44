"""The application `lookalike` with all its commands."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any

import typer
from typer import Option

from client_sdk import __version__
from client_sdk.cli import collections, commands, images, jobs
from client_sdk.cli.commands import Shared, Surroundings, command
from client_sdk.cli.compare import compare, duplicates
from client_sdk.cli.delete import delete
from client_sdk.cli.jobs import process
from client_sdk.cli.search import search
from client_sdk.cli.service import count, info
from client_sdk.cli.train import train

app: typer.Typer = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 success, 1 nothing found or a check failed, 2 wrong usage, 3 the service "
    "is not available, 4 the service rejected the request, 130 Ctrl-C.",
)

for _function in (train, process, count, search, delete, compare, duplicates):
    command(app)(_function)
app.add_typer(images.app, name="images")
app.add_typer(jobs.app, name="jobs")
app.add_typer(collections.app, name="collections")
command(app)(info)


def run(arguments: Sequence[str] | None = None, around: Surroundings | None = None) -> int:
    """Run one command, and return the exit code."""
    return commands.run(app, arguments, around or Surroundings())


def _version(wanted: bool) -> None:  # noqa: FBT001 - as Typer calls it
    if wanted:
        typer.echo(f"lookalike {__version__}")
        raise typer.Exit


def _lookalike(
    *,
    context: typer.Context,
    version: Annotated[  # noqa: ARG001 - its callback ends the command
        bool, Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
    **shared: Any,
) -> None:
    """Search for pictures that look alike, at a Lookalike service.

    LOOKALIKE_URL is its address, and LOOKALIKE_TOKEN the token, if it needs one.
    """
    context.obj = replace(context.obj or Surroundings(), shared=Shared(**shared))


app.callback()(commands.with_shared(_lookalike))
