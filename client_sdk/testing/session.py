"""The part of the pytest plugin that is imported on first use, because its imports are slow."""

from __future__ import annotations

import os
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from client_sdk._sync.client import Client
from client_sdk.errors import ConnectError, LookalikeError, NotReady, TimeoutExceeded, UsageError
from client_sdk.testing import artefacts, report
from client_sdk.testing.baselines import Place
from client_sdk.testing.connecting import LOCAL, open_client
from client_sdk.testing.likely import BaselineNeighbours
from client_sdk.testing.mixin import VisualAssertions
from client_sdk.testing.options import Options, is_ci, layered
from client_sdk.testing.outcome import Outcome
from client_sdk.testing.scratch import ScratchCollection
from client_sdk.testing.values import VALUES
from client_sdk.testing.visual import Visual

AWAY = (ConnectError, TimeoutExceeded, NotReady)
"""The errors of a service that is unreachable or not ready."""


class VisualSession:
    """The client and the temporary collections of a run; `close` deletes the collections.

    Args:
        client: A client of a service that answers.
        options: The default options of assertions.
    """

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
        place = Place.of(item.path, item.nodeid, item.nodeid.partition("::")[2])
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


@contextmanager
def opened(config: pytest.Config) -> Generator[VisualSession]:
    """Yield the session of a run; skip or fail if the service does not answer."""
    options = options_of(config)
    session = VisualSession(_reached(config, options), options)
    try:
        yield session
    finally:
        session.close()


def url_of(config: pytest.Config) -> str | None:
    """Return the address of the command line, else of the environment, else of the ini file."""
    line: str | None = config.getoption("lookalike_url", None)
    url = line or os.environ.get("LOOKALIKE_URL") or config.getini("lookalike_url") or None
    worker = os.environ.get("PYTEST_XDIST_WORKER")
    if url and worker and url.startswith(LOCAL) and url != LOCAL:
        return f"{url}/{worker}"  # only one process at a time may use a folder
    return url


def options_of(config: pytest.Config) -> Options:
    """Return the options: from the command line, else the ini file, else the defaults.

    Raises:
        pytest.UsageError: If an option has an invalid value.
    """
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


def adopt(cls: type[VisualAssertions], config: pytest.Config) -> None:
    """Set the options of pytest on a `unittest` class, and leave the report to the plugin."""
    cls.is_reported_by_pytest = True
    cls.options_of_run = options_of(config)
    cls.url_of_run = url_of(config)


def properties_of(outcomes: Sequence[Outcome]) -> list[tuple[str, object]]:
    """Return the JUnit properties of each assertion, such as `visual_1_score`."""
    found: list[tuple[str, object]] = []
    for one in outcomes:
        values = {
            "assertion": one.assertion,
            "name": one.name,
            "passed": str(one.passed).lower(),
            "score": one.score,
            "threshold": one.threshold,
            "margin": one.margin,
            "verdict": one.verdict,
            "pixels": None if one.pixels is None else one.pixels.share,
            "artefacts": one.folder,
        }
        found += [
            (f"visual_{one.number}_{name}", value)
            for name, value in values.items()
            if value is not None
        ]
    return found


def finish(config: pytest.Config, told: Sequence[dict[str, Any]]) -> list[str]:
    """Write the report of a run, if something failed, if it is requested, or if one exists.

    Args:
        config: The configuration of the run.
        told: The outcomes of the run, as JSON objects.

    Returns:
        The lines of the summary.
    """
    outcomes = [Outcome.model_validate(one) for one in told]
    folder = options_of(config).report
    failed = sum(not one.passed and not one.written for one in outcomes)
    written = sum(one.written for one in outcomes)
    lines = [
        f"{len(outcomes)} {'assertion' if len(outcomes) == 1 else 'assertions'}, {failed} failed"
    ]
    if written:
        lines.append(f"{written} {'baseline' if written == 1 else 'baselines'} to be looked at")
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
        told, is_away = str(error), isinstance(error, AWAY)
    if is_away and options.offline == "skip":
        pytest.skip(f"{told} [--visual-offline=skip]")
    advice = (
        "Start the service, or say where it is with LOOKALIKE_URL; --visual-offline=skip skips "
        "the tests that need it."
    )
    pytest.fail(f"{told}\n{advice}" if is_away else told, pytrace=False)
