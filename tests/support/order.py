"""A pytest plugin that runs the files first that took longest in the last whole run.

So no worker of xdist has a long file left when the others are done. The seconds of each file are
kept in pytest's cache. Where a file has none, those come first that start servers: one that needs
the model, which builds it where there is none, then those with a time limit of their own above the
usual one, then those that need only Milvus, then the rest; among equals the file with most tests.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pytest

RECORD = "lookalike/seconds_by_file"
_UNKNOWN_SECONDS = (1e6, 5e5, 1e5, 1e4, 0.0)
"""The guesses for the first file with the model, files with a higher time limit, files with Milvus,
other servers, and the rest."""
_MODEL = {"models", "open_backend"}
_MILVUS = {"new_milvus_server", "forge"}


class LongestFirst:
    """Orders the tests of a session by the record, and replaces the record at its end."""

    def __init__(self, config: pytest.Config) -> None:
        self._cache = getattr(config, "cache", None)  # missing under `-p no:cacheprovider`
        # All workers of xdist have to order alike, so they get the record that the controller read.
        given = getattr(config, "workerinput", {}).get(RECORD)
        self._is_worker = given is not None
        self.record: dict[str, float] = given if given is not None else self._read()
        self._measured: dict[str, float] = defaultdict(float)
        self._is_whole = not (
            config.option.keyword or any("::" in argument for argument in config.args)
        )

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items[:] = longest_first(items, self.record)

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Give a worker of xdist the record."""
        node.workerinput[RECORD] = self.record

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._measured[report.nodeid.partition("::")[0]] += report.duration

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        stopped = session.shouldstop or session.shouldfail
        if self._cache is not None and self._is_whole and not (self._is_worker or stopped):
            known = {file: round(taken, 2) for file, taken in self._measured.items()}
            root = session.config.rootpath
            record = {
                file: n for file, n in (self.record | known).items() if (root / file).exists()
            }
            self._cache.set(RECORD, record)

    def _read(self) -> dict[str, float]:
        record = {} if self._cache is None else self._cache.get(RECORD, {})
        return record if isinstance(record, dict) else {}


def longest_first(items: Iterable[pytest.Item], record: Mapping[str, float]) -> list[pytest.Item]:
    """Return the tests, ordered by the seconds of their files; those of a file stay together."""
    files: dict[str, list[pytest.Item]] = defaultdict(list)
    for item in items:
        files[item.nodeid.partition("::")[0]].append(item)
    unknown = _guessed(files)
    seconds = {file: record.get(file, unknown[file]) for file in files}
    return [item for file in sorted(files, key=lambda one: -seconds[one]) for item in files[file]]


def _fixtures(tests: Iterable[pytest.Item]) -> set[str]:
    return {name for test in tests for name in getattr(test, "fixturenames", ())}


def _is_long(tests: Iterable[pytest.Item]) -> bool:
    """Return whether a test is given more time than others."""
    return any(
        mark.args[0] > float(test.config.getini("timeout"))
        for test in tests
        for mark in test.iter_markers("timeout")
    )


def _guessed(files: Mapping[str, Sequence[pytest.Item]]) -> dict[str, float]:
    """Return numbers that order files without a record."""
    first, long, milvus, servers, others = _UNKNOWN_SECONDS
    guessed, is_first = {}, True
    for file, tests in files.items():
        names = _fixtures(tests)
        if names & _MODEL:
            guessed[file] = first if is_first else servers
            is_first = False
        elif _is_long(tests):
            guessed[file] = long
        else:
            guessed[file] = milvus if names & _MILVUS else others
        guessed[file] += len(tests)
    return guessed
