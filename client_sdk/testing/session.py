"""The part of the pytest plugin that is imported on first use, because its imports are slow."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from client_sdk._sync.client import Client
from client_sdk._transport.settings import LOCAL
from client_sdk.errors import ConnectError, LookalikeError, NotReady, TimeoutExceeded, UsageError
from client_sdk.testing import artefacts, report
from client_sdk.testing.accept import accept
from client_sdk.testing.baselines import Place
from client_sdk.testing.connecting import open_client
from client_sdk.testing.likely import BaselineNeighbours
from client_sdk.testing.messages import plural, short
from client_sdk.testing.mixin import VisualAssertions
from client_sdk.testing.options import Options, is_ci, layered
from client_sdk.testing.outcome import Outcome
from client_sdk.testing.scratch import ScratchCollection
from client_sdk.testing.values import VALUES
from client_sdk.testing.visual import Visual

AWAY = (ConnectError, TimeoutExceeded, NotReady)
"""The errors of a service that is unreachable or not ready."""


class VisualSession:
    """The client and the temporary collections of a run; `close` deletes the collections."""

    def __init__(self, client: Client, options: Options) -> None:
        self.client = client
        self._options = options
        self._neighbours = BaselineNeighbours(client)
        self._scratch: list[ScratchCollection] = []

    def scratch(self, hint: str = "scratch") -> ScratchCollection:
        """Create a scratch collection, which is deleted at the end of the run at the latest."""
        self._scratch.append(ScratchCollection.create(self.client, hint))
        return self._scratch[-1]

    def visual(self, item: pytest.Item, collection: str | None) -> Visual:
        """Return the assertions of one test; they search its own collection, if it has one."""
        options = replace(self._options, collection=collection or self._options.collection)
        name, root = item.nodeid.partition("::")[2], item.config.rootpath
        place = Place.of(item.path, item.nodeid, name, options.baselines, root)
        return Visual(self.client, options, place=place, keep=True, neighbours=self._neighbours)

    def close(self) -> None:
        """Delete the remaining collections, and close the connections."""
        try:
            self._neighbours.close()
            for collection in self._scratch:
                collection.delete()
        except AWAY:
            pass  # the service itself deletes them an hour later
        finally:
            self.client.close()


def open_session(config: pytest.Config) -> VisualSession:
    """Return the session of a run; skip or fail if the service does not answer."""
    options = options_of(config)
    return VisualSession(_reached(config, options), options)


def url_of(config: pytest.Config) -> str | None:
    """Return the address of the command line, else of the environment, else of the ini file."""
    line: str | None = config.getoption("lookalike_url", None)
    url = line or os.environ.get("LOOKALIKE_URL") or config.getini("lookalike_url") or None
    worker = os.environ.get("PYTEST_XDIST_WORKER")
    if url and worker and url.startswith(LOCAL) and url != LOCAL:
        return f"{url}/{worker}"  # only one process at a time may use a folder
    return url


def options_of(config: pytest.Config) -> Options:
    """Return the options: from the command line, else the ini file, else the defaults."""
    line = {name: config.getoption(f"visual_{name}", None) for name in VALUES}
    ini = {name: str(config.getini(f"visual_{name}") or "") or None for name in VALUES}
    if line["report"]:
        line["report"] = str(config.invocation_params.dir / line["report"])
    if ini["baselines"]:
        ini["baselines"] = ini["baselines"].replace("{rootdir}", str(config.rootpath))
    try:
        options = layered(line, ini, in_ci=is_ci())
    except UsageError as error:
        raise pytest.UsageError(str(error)) from error
    folder = config.rootpath / options.report
    return replace(options, report=folder, update=bool(config.getoption("visual_update")))


def accept_failures(config: pytest.Config, folder: str) -> int:
    """Make the pictures of a report the baselines, and print their paths; return the exit code."""
    roots = Path.cwd(), config.rootpath, options_of(config).baselines
    try:
        written, others = accept(Path(folder), roots)
    except (UsageError, OSError) as error:
        raise pytest.UsageError(str(error)) from error
    for path in written:
        sys.stdout.write(f"accepted: {short(path)}\n")
    if written:
        sys.stdout.write("look at what was written, and commit it\n")
    for path in others:
        reason = "it is not a PNG; write it with --visual-update"
        sys.stdout.write(f"not accepted: {short(path)}: {reason}\n")
    return pytest.ExitCode.USAGE_ERROR if others else pytest.ExitCode.OK


def adopt(cls: type[VisualAssertions], config: pytest.Config) -> None:
    """Set options and root of pytest on a `unittest` class, and leave the report to the plugin."""
    cls.is_reported_by_pytest = True
    cls.options_of_run = options_of(config)
    cls.url_of_run = url_of(config)
    cls.root_of_run = config.rootpath


def properties_of(outcomes: Sequence[Outcome]) -> list[tuple[str, object]]:
    """Return the JUnit properties of each assertion, such as `visual_1_score`."""
    found: list[tuple[str, object]] = []
    for one in outcomes:
        values = {
            **one.model_dump(include={"assertion", "name", "score", "threshold", "margin"}),
            "passed": str(one.passed).lower(),
            "verdict": one.verdict,
            "pixels": None if one.pixels is None else one.pixels.differing,
            "artefacts": one.folder,
        }
        found += [
            (f"visual_{one.number}_{name}", value)
            for name, value in values.items()
            if value is not None
        ]
    return found


def finish(config: pytest.Config, raw: Sequence[dict[str, Any]]) -> list[str]:
    """Write the report of a run, if something failed, if it is requested, or if one exists.

    `raw` are the outcomes of the run as JSON objects. Return the lines of the summary.
    """
    outcomes = [Outcome.model_validate(one) for one in raw]
    folder = options_of(config).report
    failed = sum(not one.passed and not one.written for one in outcomes)
    written = sum(one.written for one in outcomes)
    lines = [f"{plural(len(outcomes), 'assertion', 'assertions')}, {failed} failed"]
    if written:
        lines.append(f"{plural(written, 'baseline', 'baselines')} to review")
    is_wanted = config.getoption("visual_report") is not None
    if failed or written or is_wanted or (folder / artefacts.REPORT).exists():
        artefacts.forget_others(folder, outcomes)
        path: Path = report.write(folder, outcomes)
        lines.append(f"report: {path.as_uri()}")
    return lines


def _reached(config: pytest.Config, options: Options) -> Client:
    try:
        return open_client(url_of(config))
    except LookalikeError as error:
        reason, is_away = str(error), isinstance(error, AWAY)
    if is_away and options.offline == "skip":
        pytest.skip(f"{reason} [--visual-offline=skip]")
    advice = (
        "Start the service, or set LOOKALIKE_URL to its address; --visual-offline=skip skips the "
        "tests that need it."
    )
    pytest.fail(f"{reason}\n{advice}" if is_away else reason, pytrace=False)
