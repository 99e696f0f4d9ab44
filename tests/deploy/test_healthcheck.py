"""The health check of a container, asking a server of the test."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.raw_server import RawServer

SCRIPT = Path(__file__).parents[2] / "deploy" / "container" / "healthcheck.py"


@pytest.fixture
def service():
    service = RawServer()
    yield service
    service.stop()


def checked(port, **environment):
    return subprocess.run(
        [sys.executable, SCRIPT],
        env={"LOOKALIKE_PORT": str(port)} | environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_a_ready_service_is_healthy_and_another_is_not(service):
    service.gives("/readyz", b"")
    assert checked(service.port).returncode == 0

    service.gives("/readyz", b"", status="503 Service Unavailable")
    ran = checked(service.port)
    assert ran.returncode == 1
    assert "503" in ran.stderr


def test_it_asks_no_proxy_of_the_environment(service, free_port):
    service.gives("/readyz", b"")
    proxy = f"http://127.0.0.1:{free_port}"
    assert checked(service.port, http_proxy=proxy, HTTP_PROXY=proxy).returncode == 0
