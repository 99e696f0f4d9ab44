"""Options and arguments of several commands."""

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, cast

import typer
from typer import Argument, Option

from client_sdk._sync.client import Client
from client_sdk.cli.commands import Shared
from client_sdk.errors import LookalikeError, UsageError
from client_sdk.schemas import DEFAULT_COLLECTION

_COMPLETION_SECONDS = 2.0
_NUMBER = re.compile(r"-?\d+(\.\d+)?([eE][+-]?\d+)?")


def _names(context: typer.Context, incomplete: str) -> list[str]:
    """Return names of collections for shell completion; none if the service is slow or fails."""
    try:
        with _client(context) as client:
            names = [collection.name for collection in client.collections()]
    except (LookalikeError, OSError):
        return []
    return [name for name in names if name.startswith(incomplete)]


def _jobs(context: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """Return ids of the newest jobs for shell completion, each with its state and source."""
    try:
        with _client(context) as client:
            newest = [job for job, _ in zip(client.jobs(), range(20), strict=False)]
    except (LookalikeError, OSError):
        return []
    return [
        (job.id, f"{job.state}, {job.source}")
        for job in newest
        if job.id and job.id.startswith(incomplete)
    ]


def _client(context: typer.Context) -> Client:
    """Return a client of the service that the options before the cursor name."""
    shared = _shared(context)
    return Client(shared.url, token=shared.token, timeout=_COMPLETION_SECONDS)


def _shared(context: typer.Context) -> Shared:
    file = context.params.get("token_file")
    own = Shared(context.params.get("url"), None if file is None else Path(file))
    group = cast("typer.Context | None", context.parent)
    return own if group is None else own.or_else(_shared(group))


CollectionOption = Annotated[
    str,
    Option("--collection", "-c", metavar="NAME", help="The collection.", autocompletion=_names),
]
FilterOption = Annotated[
    str | None,
    Option(
        "--filter",
        metavar="EXPRESSION",
        help="Only images whose metadata match, such as 'shop == \"north\" and price < 20'.",
    ),
]
CollectionArgument = Annotated[str, Argument(metavar="NAME", autocompletion=_names)]
JobArgument = Annotated[str, Argument(metavar="JOB", autocompletion=_jobs)]
NewestJobArgument = Annotated[
    str | None,
    Argument(metavar="JOB", autocompletion=_jobs, help="Its id; by default the newest job."),
]
PicturesOption = Annotated[
    bool | None,
    Option(
        "--pictures/--no-pictures",
        help="Show pictures; by default if the terminal supports them.",
        show_default=False,
    ),
]
WaitOption = Annotated[
    bool, Option("--wait/--no-wait", help="Watch the job to its end, or only start it.")
]
YesOption = Annotated[bool, Option("--yes", "-y", help="Do not ask.")]
DEFAULT = DEFAULT_COLLECTION


def metadata_of(pairs: Iterable[str]) -> dict[str, Any]:
    """Return the metadata of `name=value` arguments; values that look like JSON are parsed."""
    metadata: dict[str, Any] = {}
    for pair in pairs:
        name, sign, value = pair.partition("=")
        if not name or not sign:
            raise UsageError(f"metadata {pair!r}; give name=value, such as shop=north or price=20")
        metadata[name] = _value(value)
    return metadata


def _value(text: str) -> Any:
    if _NUMBER.fullmatch(text) or text in ("true", "false", "null") or text[:1] in '["{':
        try:
            return json.loads(text)
        except ValueError:
            return text
    return text
