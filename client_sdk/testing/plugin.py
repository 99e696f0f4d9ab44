"""The pytest plugin: options, fixtures, and the report of a run.

Wherever this package is installed, pytest imports this module in every suite. So it imports only
pytest and some constants; the first test that uses a fixture imports the rest.
"""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from client_sdk.testing.values import VALUES

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from client_sdk._sync.client import Client
    from client_sdk.testing.scratch import ScratchCollection
    from client_sdk.testing.session import VisualSession
    from client_sdk.testing.visual import Visual

CARRIED = "lookalike"
"""The attribute of a test report that carries outcomes, also from an xdist worker."""

_visual = pytest.StashKey["Visual"]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options; those with a value for the assertions can be set in the ini file too."""
    group = parser.getgroup("lookalike", "assertions about pictures, by Lookalike")
    url = "address of the service, or local:FOLDER (LOOKALIKE_URL)"
    group.addoption("--lookalike-url", metavar="URL", help=url)
    parser.addini("lookalike_url", url)
    for name, what in VALUES.items():
        choices = ("skip", "fail") if name == "offline" else None
        option = f"--visual-{name.replace('_', '-')}"
        group.addoption(option, metavar=name.upper(), choices=choices, help=what)
        parser.addini(f"visual_{name}", what)
    group.addoption(
        "--visual-update",
        action="store_true",
        help="write missing and different baselines, and fail so that they are reviewed",
    )
    group.addoption(
        "--visual-accept",
        metavar="FOLDER",
        help="run no tests, but make the pictures of a report, or of one failure in it, baselines",
    )


def pytest_cmdline_main(config: pytest.Config) -> int | None:
    """Accept the failures of a report instead of running tests."""
    folder: str | None = config.getoption("visual_accept")
    if folder is None:
        return None
    from client_sdk.testing.session import accept_failures

    return accept_failures(config, folder)


def pytest_configure(config: pytest.Config) -> None:
    """Register the collector of outcomes, in the one process that gets all test reports."""
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(Run(config), "lookalike-run")


@pytest.fixture(scope="session")
def lookalike(_visual_session: VisualSession) -> Client:
    """Return a client of a service that answers; without one, skip or fail the test."""
    return _visual_session.client


@pytest.fixture(scope="session")
def lookalike_collections(
    _visual_session: VisualSession,
) -> Callable[[str], ScratchCollection]:
    """Return a function that creates scratch collections for wider fixtures: `make("shelf")`."""
    return _visual_session.scratch


@pytest.fixture
def lookalike_collection(
    request: pytest.FixtureRequest, _visual_session: VisualSession
) -> Iterator[ScratchCollection]:
    """Yield an empty collection for one test, and delete it at the end."""
    collection = _visual_session.scratch(request.node.name)
    yield collection
    collection.delete()


@pytest.fixture
def visual(request: pytest.FixtureRequest, _visual_session: VisualSession) -> Visual:
    """Return the assertions, such as `visual.assert_similar(screenshot, "name")`."""
    uses_scratch = "lookalike_collection" in request.fixturenames
    collection = request.getfixturevalue("lookalike_collection") if uses_scratch else None
    made = _visual_session.visual(request.node, collection)
    request.node.stash[_visual] = made
    return made


@pytest.fixture(scope="session")
def _visual_session(pytestconfig: pytest.Config) -> Iterator[VisualSession]:
    from client_sdk.testing.session import open_session

    with closing(open_session(pytestconfig)) as session:
        yield session


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Set the options of pytest on a subclass of `VisualAssertions`."""
    cls = getattr(item, "cls", None)
    if cls is not None and hasattr(cls, "is_reported_by_pytest"):
        from client_sdk.testing.session import adopt

        adopt(cls, item.config)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, Any, Any]:
    """Fail a test that wrote baselines."""
    result = yield
    made = item.stash.get(_visual, None)
    if made is not None and (written := made.review()) is not None:
        pytest.fail(str(written), pytrace=False)
    return result


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add the outcomes of a test's assertions to its report."""
    instance = getattr(item, "instance", None)
    made = item.stash.get(_visual, None) or getattr(instance, "bound_visual", None)
    outcomes = [] if made is None else made.take()
    if outcomes:
        from client_sdk.testing.session import properties_of

        item.user_properties += properties_of(outcomes)
    report = yield
    if outcomes:
        setattr(report, CARRIED, [outcome.model_dump(mode="json") for outcome in outcomes])
    return report


class Run:
    """The outcomes of all assertions of a run, and the report of the run."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._found: dict[str, list[dict[str, Any]]] = {}
        self._lines: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Collect the outcomes of a test; of a repeated test, only those of the last try."""
        if report.when == "setup":
            self._found.pop(report.nodeid, None)
        if outcomes := getattr(report, CARRIED, None):
            self._found.setdefault(report.nodeid, []).extend(outcomes)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self) -> None:
        """Write the report, if there are outcomes."""
        if self._found:
            from client_sdk.testing.session import finish

            self._lines = finish(
                self._config, [one for each in self._found.values() for one in each]
            )

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Print the summary and the address of the report."""
        if self._lines:
            terminalreporter.section("visual")
            for line in self._lines:
                terminalreporter.write_line(line)
