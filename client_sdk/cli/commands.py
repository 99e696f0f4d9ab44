"""The common part of all commands: shared options, the client and the exit code."""

import inspect
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, BinaryIO, TextIO, TypeVar

import httpx
import typer

from client_sdk._progress import harmless
from client_sdk._sync.client import Client
from client_sdk.cli.codes import Code, code_of
from client_sdk.cli.screen import Screen
from client_sdk.errors import LookalikeError, Unauthenticated, UsageError

FunctionT = TypeVar("FunctionT", bound=Callable[..., int | None])

_PANEL = "Service and output"
_Url = Annotated[
    str | None,
    typer.Option(
        "--url",
        metavar="URL",
        help="Where the service is (LOOKALIKE_URL, else http://127.0.0.1:8001).",
        rich_help_panel=_PANEL,
    ),
]
_TokenFile = Annotated[
    Path | None,
    typer.Option(
        "--token-file",
        metavar="FILE",
        help="A file that holds the token (else LOOKALIKE_TOKEN).",
        rich_help_panel=_PANEL,
    ),
]
_Timeout = Annotated[
    float | None,
    typer.Option(
        "--timeout",
        metavar="SECONDS",
        help="How long each step of a request may take (LOOKALIKE_TIMEOUT, else 60).",
        rich_help_panel=_PANEL,
    ),
]
_Json = Annotated[
    bool,
    typer.Option(
        "--json", help="Answer in JSON; lists have one item a line.", rich_help_panel=_PANEL
    ),
]
_SHARED = {"url": (_Url, None), "token_file": (_TokenFile, None), "timeout": (_Timeout, None)}


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The environment of a command: its streams, and the transport to the service.

    Attributes:
        transport: The transport of the calls; `None` for httpx's own.
    """

    stdin: BinaryIO = field(default_factory=lambda: sys.stdin.buffer)
    stdout: TextIO = field(default_factory=lambda: sys.stdout)
    stderr: TextIO = field(default_factory=lambda: sys.stderr)
    transport: httpx.BaseTransport | None = None


@dataclass(frozen=True, slots=True)
class Session:
    """The client, the output and the environment of a running command."""

    client: Client
    screen: Screen
    around: Surroundings

    @property
    def asks(self) -> bool:
        """True if the command can ask the user."""
        return self.around.stdin.isatty() and self.around.stderr.isatty()


class No(Exception):
    """The answer of a command is no, for the given reason; the exit code is `Code.NO`."""


def command(
    app: typer.Typer, name: str | None = None, *, group: bool = False, **settings: Any
) -> Callable[[FunctionT], FunctionT]:
    """Return a decorator that makes a function a command with the shared options.

    The function is called with a `Session` and its own parameters. It returns its exit code, or
    `None` for `Code.DONE`.

    Args:
        app: The application or group of the command.
        name: The name of the command; by default that of the function.
        group: If true, the function is the default command of the group.
        **settings: More options for Typer.
    """

    def register(function: FunctionT) -> FunctionT:
        runner = _runner(function)
        if group:
            app.callback(invoke_without_command=True, **settings)(runner)
        else:
            app.command(name, **settings)(runner)
        return function

    return register


def run(app: typer.Typer, arguments: Sequence[str] | None, around: Surroundings) -> int:
    """Run the command that the arguments name, and return the exit code."""
    screen = Screen(around.stdout, around.stderr)
    arguments = sys.argv[1:] if arguments is None else arguments
    try:
        if not arguments:
            app(args=["--help"], prog_name="lookalike", standalone_mode=False)
            screen.fail("name a command, such as: lookalike search cat.jpg")
            return Code.USAGE
        ended = app(args=arguments, prog_name="lookalike", standalone_mode=False, obj=around)
    except typer.TyperException as error:
        screen.fail(_usage(error))
        return error.exit_code
    except typer.Abort:
        screen.fail("stopped; nothing was changed")
        return Code.INTERRUPTED
    if ended == Code.NOBODY_READS:
        _leave_pipe(around.stdout)
    return ended if isinstance(ended, int) else Code.DONE


def _runner(function: Callable[..., int | None]) -> Callable[..., None]:
    signature = inspect.signature(function, eval_str=True)
    kind = inspect.Parameter.KEYWORD_ONLY
    own = [
        parameter.replace(kind=kind)
        for name, parameter in signature.parameters.items()
        if name != "session"
    ]
    shared = [
        inspect.Parameter(name, kind, default=default, annotation=annotation)
        for name, (annotation, default) in _SHARED.items()
    ]
    shared.append(inspect.Parameter("as_json", kind, default=False, annotation=_Json))
    shared.append(inspect.Parameter("context", kind, annotation=typer.Context))

    def runner(
        *,
        context: typer.Context,
        url: str | None,
        token_file: Path | None,
        timeout: float | None,
        as_json: bool,
        **options: Any,
    ) -> None:
        if context.invoked_subcommand is not None:
            _check_nothing_is_lost(context)
            return
        around: Surroundings = context.obj
        screen = Screen(around.stdout, around.stderr, as_json=as_json)

        def work() -> int | None:
            token = None if token_file is None else _token(token_file)
            with Client(url, token=token, timeout=timeout, transport=around.transport) as client:
                return function(Session(client, screen, around), **options)

        raise typer.Exit(_ending(work, screen))

    parameters = [*own, *shared]
    runner.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    runner.__annotations__ = {each.name: each.annotation for each in parameters}
    runner.__doc__ = function.__doc__
    runner.__name__ = function.__name__
    return runner


def _ending(work: Callable[[], int | None], screen: Screen) -> int:
    """Run a function and return the exit code; an error is printed in one line."""
    try:
        code = work() or Code.DONE
        screen.flush()
    except KeyboardInterrupt:
        return Code.INTERRUPTED
    except BrokenPipeError:
        return Code.NOBODY_READS
    except No as reason:
        screen.fail(str(reason))
        return Code.NO
    except LookalikeError as error:
        screen.fail(f"{error}{_advice(error)}")
        return code_of(error)
    except OSError as error:
        name = f"{error.filename}: " if error.filename else ""
        screen.fail(f"{name}{error.strerror or error}")
        return Code.USAGE
    return code


def _advice(error: LookalikeError) -> str:
    if isinstance(error, Unauthenticated):
        return "; set LOOKALIKE_TOKEN, or name a file that holds the token with --token-file"
    return ""


def _token(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} holds no token, but something that is no text") from error


def _usage(error: typer.TyperException) -> str:
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else "lookalike"
    option = getattr(error, "option_name", None)  # only the error of an unknown option has it
    hint = ""
    if option and path == "lookalike":
        hint = f"; options come after the command: lookalike COMMAND ... {option}"
    return f"{harmless(error.format_message()).rstrip('.')}{hint}; see {path} --help"


def _check_nothing_is_lost(context: typer.Context) -> None:
    """Reject an option before the command of a group, because it would be ignored."""
    given = [
        name
        for name in context.params
        if (source := context.get_parameter_source(name)) and source.name == "COMMANDLINE"
    ]
    if given:
        raise typer.BadParameter(
            f"options come after the command: {context.command_path} "
            f"{context.invoked_subcommand} ... --{given[0].removeprefix('as_').replace('_', '-')}"
        )


def _leave_pipe(stream: TextIO) -> None:
    """Redirect a closed pipe to the null device, so that the flush at exit does not fail."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, stream.fileno())
    except OSError:
        pass  # a stream of a test has no file descriptor
    finally:
        os.close(nowhere)
