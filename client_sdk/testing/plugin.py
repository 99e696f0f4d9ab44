"""The pytest plugin: options, fixtures, and the report of a run.

pytest loads this file in every suite of every environment where it is installed. So nothing but
pytest and some words is imported here; all else comes with the first test that asks for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from client_sdk.testing.values import VALUES

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from client_sdk._sync.client import Client
    from client_sdk.testing.scratch import ScratchCollection
    from client_sdk.testing.session import VisualSession
    from client_sdk.testing.visual import Visual

TOLD = "lookalike"
"""The attribute of a test report that carries outcomes, also from a worker of xdist."""

_visual = pytest.StashKey["Visual"]()
_run = pytest.StashKey["Run"]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options; each but `--visual-update` can be set in the ini file too."""
    group = parser.getgroup("lookalike", "pictures, compared by Lookalike")
    url = "where the service is, or local:FOLDER (LOOKALIKE_URL)"
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
        help="write the baselines that are missing or differ, and fail for review",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Listen to reports, in the one process that gets all of them."""
    run = config.stash[_run] = Run(config)
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(run, "lookalike-run")


@pytest.fixture(scope="session")
def lookalike(_visual_session: VisualSession) -> Client:
    """A client of the service that answers; without one, tests are skipped or fail."""
    return _visual_session.client


@pytest.fixture(scope="session")
def lookalike_collections(
    _visual_session: VisualSession,
) -> Callable[[str], ScratchCollection]:
    """Makes scratch collections for fixtures of a module or a session: `make("shelf")`."""
    return _visual_session.scratch


@pytest.fixture
def lookalike_collection(
    request: pytest.FixtureRequest, _visual_session: VisualSession
) -> Iterator[ScratchCollection]:
    """A collection of this test alone, empty at first and gone at the end."""
    collection = _visual_session.scratch(request.node.name)
    yield collection
    collection.delete()


@pytest.fixture
def visual(request: pytest.FixtureRequest, _visual_session: VisualSession) -> Visual:
    """The assertions: `visual.assert_similar(screenshot, "name")` and so on."""
    uses_scratch = "lookalike_collection" in request.fixturenames
    collection = request.getfixturevalue("lookalike_collection") if uses_scratch else None
    made = _visual_session.visual(request.node, collection)
    request.node.stash[_visual] = made
    return made


@pytest.fixture(scope="session")
def _visual_session(pytestconfig: pytest.Config) -> Iterator[VisualSession]:
    from client_sdk.testing.session import opened

    with opened(pytestconfig) as session:
        yield session


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Give the options of pytest to a `unittest` class with the mixin."""
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
    """Let the report of a test carry what its assertions have found."""
    instance = getattr(item, "instance", None)
    made = item.stash.get(_visual, None) or getattr(instance, "bound_visual", None)
    outcomes = [] if made is None else made.take()
    if outcomes:
        from client_sdk.testing.session import properties_of

        item.user_properties += properties_of(outcomes)
    report = yield
    if outcomes:
        setattr(report, TOLD, [outcome.model_dump(mode="json") for outcome in outcomes])
    return report


class Run:
    """What the assertions of a run have found, and its report.

    Args:
        config: Of the run.
    """

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._found: dict[str, list[dict[str, Any]]] = {}
        self._lines: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep what a test has found; a test that is repeated counts by its last try."""
        if report.when == "setup":
            self._found.pop(report.nodeid, None)
        if told := getattr(report, TOLD, None):
            self._found.setdefault(report.nodeid, []).extend(told)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self) -> None:
        """Write the report, if there is something to tell."""
        if self._found:
            from client_sdk.testing.session import finish

            self._lines = finish(
                self._config, [one for each in self._found.values() for one in each]
            )

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Say where the report is."""
        if self._lines:
            terminalreporter.section("visual")
            for line in self._lines:
                terminalreporter.write_line(line)
