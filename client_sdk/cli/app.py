"""The application `lookalike` with all its commands."""

from collections.abc import Callable, Sequence
from typing import Annotated

import typer

from client_sdk import __version__
from client_sdk.cli import collections, commands, images, jobs
from client_sdk.cli.commands import Surroundings, command
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
    epilog="Exit codes: 0 done, 1 the answer is no, 2 the command makes no sense, 3 the service "
    "is away, 4 it refused, 130 Ctrl-C.",
)

_MAIN: tuple[Callable[..., int | None], ...] = (
    train,
    process,
    count,
    search,
    delete,
    compare,
    duplicates,
)
for _function in _MAIN:
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


@app.callback()
def _lookalike(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Tell the version.")
    ] = False,
) -> None:
    """Search for pictures that look alike, at a Lookalike service.

    LOOKALIKE_URL says where it is, LOOKALIKE_TOKEN holds the token where it asks for one.
    """
