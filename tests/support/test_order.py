"""The order in which `make test` runs the files."""

import pytest

from tests.support.order import RECORD

CONFTEST = """
import pytest
from tests.support.order import LongestFirst

def pytest_configure(config):
    config.pluginmanager.register(LongestFirst(config))

def pytest_addoption(parser):
    parser.addini("timeout", "of pytest-timeout", default="600")

@pytest.fixture
def models():
    pass

@pytest.fixture
def new_milvus_server():
    pass
"""


@pytest.fixture
def ran(pytester, monkeypatch, request):
    """Run six files; the names of the tests in the order in which they ran."""
    monkeypatch.setenv("PYTHONPATH", str(request.config.rootpath))
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")  # which would take most of the time
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)
    pytester.makeconftest(CONFTEST)
    pytester.makepyfile(
        test_a="def test_quick(): pass",
        test_b="import time\ndef test_slow(): time.sleep(0.3)\ndef test_other(): pass",
        test_c="def test_milvus(new_milvus_server): pass",
        test_d="def test_model(models): pass",
        test_e="def test_second_model(models): pass",
        test_f="import pytest\n@pytest.mark.timeout(2400)\ndef test_long_limit(): pass",
    )

    def run(*options):
        result = pytester.runpytest_inprocess("-v", *options)
        assert result.ret == 0
        lines = [line for line in result.outlines if "PASSED" in line]
        return [line.partition("::")[2].split()[0] for line in lines]

    return run


SIDE_BY_SIDE = ("-p", "xdist", "-n", "2", "--dist", "loadfile", "--no-loadscope-reorder")
GUESSED = [
    "test_model",
    "test_long_limit",
    "test_milvus",
    "test_second_model",
    "test_slow",
    "test_other",
    "test_quick",
]


def test_without_a_record_files_with_servers_come_first_then_those_with_most_tests(ran):
    assert ran() == GUESSED


def test_the_file_that_took_longest_comes_first_in_the_next_run(ran):
    ran()
    assert ran()[:2] == ["test_slow", "test_other"]


@pytest.mark.parametrize("partly", [("-k", "slow"), ("test_b.py::test_slow",)])
def test_a_run_of_some_tests_of_a_file_is_not_recorded(ran, partly):
    assert ran(*partly) == ["test_slow"]
    assert ran() == GUESSED


def test_a_run_without_the_long_tests_is_recorded(ran, pytester):
    pytester.makeini("[pytest]\nmarkers = long\n    timeout")
    pytester.makepyfile(test_g="import pytest\n@pytest.mark.long\ndef test_long(): pass")
    ran("-m", "not long")
    assert ran("-m", "not long")[:2] == ["test_slow", "test_other"]


def test_workers_of_xdist_order_alike_and_their_run_is_recorded(ran, pytester):
    for _ in range(2):
        result = pytester.runpytest_subprocess(*SIDE_BY_SIDE)
        result.assert_outcomes(passed=7)
    record = pytester.path / ".pytest_cache" / "v" / RECORD
    assert "test_b.py" in record.read_text()
    assert ran()[:2] == ["test_slow", "test_other"]


def test_a_partial_run_of_workers_is_not_recorded(ran, pytester):
    result = pytester.runpytest_subprocess(*SIDE_BY_SIDE, "-k", "slow")
    result.assert_outcomes(passed=1)
    assert not (pytester.path / ".pytest_cache" / "v" / RECORD).exists()
