"""The common part of all commands: shared options, the client and the exit code."""

import inspect
import io
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Annotated, Any, BinaryIO, TextIO, TypeVar

import httpx
import typer
from typer import Option

from client_sdk._sync.client import Client
from client_sdk._transport import settings
from client_sdk.cli.codes import Code, code_of
from client_sdk.cli.screen import ESCAPING, Screen, sanitised
from client_sdk.errors import LookalikeError, Unauthenticated, UsageError

FunctionT = TypeVar("FunctionT", bound=Callable[..., int | None])

_PANEL = "Service and output"
_URL = "Address of the service (LOOKALIKE_URL, else http://127.0.0.1:8001); local:FOLDER runs one "
_FILE = "File that contains the token (else LOOKALIKE_TOKEN)."
_TIMEOUT = "Time limit of each step of a request (LOOKALIKE_TIMEOUT, else 60)."
_NO_ACCESS = "; set LOOKALIKE_TOKEN, or name a file that contains the token with --token-file"
_JSON = "Print JSON; lists have one item per line."


@dataclass(frozen=True, slots=True)
class Shared:
    """The options that every command has."""

    url: Annotated[
        str | None,
        Option("--url", metavar="URL", help=f"{_URL}in this process.", rich_help_panel=_PANEL),
    ] = None
    token_file: Annotated[
        Path | None, Option("--token-file", metavar="FILE", help=_FILE, rich_help_panel=_PANEL)
    ] = None
    timeout: Annotated[
        float | None, Option("--timeout", metavar="SECONDS", help=_TIMEOUT, rich_help_panel=_PANEL)
    ] = None
    as_json: Annotated[bool, Option("--json", help=_JSON, rich_help_panel=_PANEL)] = False

    @property
    def token(self) -> str | None:
        """The content of the token file; `None` without one.

        Raises:
            OSError: If the file cannot be read.
            UsageError: If it is not a text file.
        """
        if self.token_file is None:
            return None
        try:
            return self.token_file.read_text("utf-8")
        except UnicodeDecodeError as error:
            reason = "it is not a text file"
            raise UsageError(f"{self.token_file} contains no token: {reason}") from error

    def or_else(self, before: "Shared") -> "Shared":
        """Return these options; an option that is not given is that of `before`."""
        given = {
            name: value
            for name, value in asdict(self).items()
            if value is not None and value is not False
        }
        return replace(before, **given)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The environment of a command: its streams, and the transport to the service.

    Attributes:
        transport: The transport of the calls; `None` for httpx's own.
        shared: The shared options before the command; those after it win.
    """

    stdin: BinaryIO = field(default_factory=lambda: sys.stdin.buffer)
    stdout: TextIO = field(default_factory=lambda: sys.stdout)
    stderr: TextIO = field(default_factory=lambda: sys.stderr)
    transport: httpx.BaseTransport | None = None
    shared: Shared = field(default_factory=Shared)


@dataclass(frozen=True, slots=True)
class Session:
    """The client, the output and the environment of a running command.

    Attributes:
        url: The address of the service without a password, or the folder of `local:FOLDER`.
    """

    client: Client
    screen: Screen
    around: Surroundings
    url: str

    @property
    def asks(self) -> bool:
        """True if the command can ask the user."""
        return self.around.stdin.isatty() and self.around.stderr.isatty()


class NegativeAnswer(Exception):
    """The end of a command with the exit code `Code.NO`, for the given reason."""


def command(
    app: typer.Typer, name: str | None = None, *, group: bool = False
) -> Callable[[FunctionT], FunctionT]:
    """Return a decorator that makes a function a command with the shared options.

    The function is called with a `Session` and its own parameters. It returns its exit code, or
    `None` for `Code.DONE`. With `group`, it is the default command of the group `app`.
    """

    def register(function: FunctionT) -> FunctionT:
        runner = _runner(function)
        if group:
            app.callback(invoke_without_command=True)(runner)
        else:
            app.command(name)(runner)
        return function

    return register


def run(app: typer.Typer, arguments: Sequence[str] | None, around: Surroundings) -> int:
    """Run the command that the arguments name, and return the exit code."""
    for stream in (around.stdout, around.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=ESCAPING)
    screen = Screen(around.stdout, around.stderr)
    arguments = sys.argv[1:] if arguments is None else arguments
    try:
        if not arguments:
            app(args=["--help"], prog_name="lookalike", standalone_mode=False)
            return Code.USAGE
        ended = app(args=arguments, prog_name="lookalike", standalone_mode=False, obj=around)
    except typer.TyperException as error:
        screen.fail(_usage(error))
        return error.exit_code
    except typer.Abort:
        screen.fail("cancelled; nothing was changed")
        return Code.INTERRUPTED
    if ended == Code.BROKEN_PIPE:
        _redirect_to_null(around.stdout)
    return ended if isinstance(ended, int) else Code.DONE


def with_shared(
    function: Callable[..., None], own: Iterable[inspect.Parameter] = ()
) -> Callable[..., None]:
    """Set the signature that Typer reads on a function with `**options`: own and shared options."""
    parameters = [
        parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY)
        for parameter in (
            *inspect.signature(function).parameters.values(),
            *own,
            *inspect.signature(Shared).parameters.values(),
        )
        if parameter.kind is not inspect.Parameter.VAR_KEYWORD
    ]
    function.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    function.__annotations__ = {each.name: each.annotation for each in parameters}
    return function


def _runner(function: Callable[..., int | None]) -> Callable[..., None]:
    def runner(*, context: typer.Context, **options: Any) -> None:
        if context.invoked_subcommand is not None:
            _check_no_option_is_lost(context)
            return
        around: Surroundings = context.obj
        own = Shared(**{one.name: options.pop(one.name) for one in fields(Shared)})
        shared = own.or_else(around.shared)
        screen = Screen(around.stdout, around.stderr, as_json=shared.as_json)

        def work() -> int | None:
            token = shared.token
            address = settings.resolve(shared.url, token, shared.timeout)
            url = address.folder
            if url is None:  # output must not show a password of the address
                url = str(httpx.URL(address.base_url).copy_with(userinfo=b""))
            with Client(
                shared.url, token=token, timeout=shared.timeout, transport=around.transport
            ) as client:
                return function(Session(client, screen, around, url), **options)

        raise typer.Exit(_ending(work, screen))

    runner.__name__, runner.__doc__ = function.__name__, function.__doc__
    _, *own = inspect.signature(function, eval_str=True).parameters.values()
    return with_shared(runner, own)


def _ending(work: Callable[[], int | None], screen: Screen) -> int:
    """Run a function and return the exit code; an error is printed in one line."""
    try:
        code = work() or Code.DONE
        screen.flush()
    except KeyboardInterrupt:
        return Code.INTERRUPTED
    except BrokenPipeError:
        return Code.BROKEN_PIPE
    except NegativeAnswer as reason:
        screen.fail(str(reason))
        return Code.NO
    except LookalikeError as error:
        advice = _NO_ACCESS if isinstance(error, Unauthenticated) else ""
        screen.fail(f"{error}{advice}")
        return code_of(error)
    except OSError as error:
        name = f"{error.filename}: " if error.filename else ""
        screen.fail(f"{name}{error.strerror or error}")
        return Code.USAGE
    return code


def _usage(error: typer.TyperException) -> str:
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else "lookalike"
    option = getattr(error, "option_name", None)  # only the error of an unknown option has it
    hint = ""
    if option and path == "lookalike":
        hint = f"; options come after the command: lookalike COMMAND ... {option}"
    text = f"{sanitised(error.format_message()).rstrip('.')}{hint}"
    return f"{text}{' See' if text.endswith('?') else '; see'} {path} --help"


def _check_no_option_is_lost(context: typer.Context) -> None:
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


def _redirect_to_null(stream: TextIO) -> None:
    """Redirect a closed pipe to the null device, so that the flush at exit does not fail."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, stream.fileno())
    except OSError:
        pass  # a stream of a test has no file descriptor
    finally:
        os.close(nowhere)
