"""The compose file of this checkout, started under a project name of its own."""

import os
import re
import subprocess
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from client_sdk import Client
from tests.support.docker import Container, docker

KILL = """
import os, signal, sys
for pid in filter(str.isdigit, os.listdir("/proc")):
    words = open(f"/proc/{pid}/cmdline").read().split("\\0")
    if "_bentoml_impl.worker.service" in words and sys.argv[1] in words:
        os.kill(int(pid), signal.SIGKILL)
        print(pid)
"""


def skip_without_compose() -> None:
    """Skip a test where Docker's client has no compose."""
    ran = subprocess.run(["docker", "compose", "version"], capture_output=True, timeout=60)
    if ran.returncode != 0:
        pytest.skip("Docker's client has no compose")


class Composed:
    """The services of docker-compose.yml; `docker compose` in the checkout reaches them.

    Attributes:
        pictures: The folder that the containers see as /pictures.
        settings: The variables that the file reads.
    """

    def __init__(self, pictures: Path, port: int, **settings: str) -> None:
        self.port = port
        self.settings = {
            "COMPOSE_PROJECT_NAME": f"lookalike-test-{uuid4().hex[:8]}",
            "PICTURES": str(pictures),
            "PORT": str(port),
            "TAG": "test",
            **settings,
        }

    def __call__(self, *arguments: str) -> str:
        """Run a command of `docker compose`, and return what it printed."""
        return docker("compose", *arguments, **self.settings)

    @property
    def service(self) -> Container:
        """The container of the service."""
        return Container(self("ps", "--all", "--quiet", "lookalike"))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def client(self, **options: Any) -> Client:
        """Return a client with the token that was made at the first start."""
        tokens = self("exec", "-T", "lookalike", "cat", "/data/tokens")
        found = re.search(r"^first admin (\w+)$", tokens, re.MULTILINE)
        assert found, tokens
        return Client(self.url, token=found[1], **options)

    def kill(self, process: str) -> None:
        """Kill a serving process, by the name of its BentoML service."""
        assert self("exec", "-T", "lookalike", "python", "-c", KILL, process).strip().isdigit()

    def remove(self) -> None:
        """Remove its containers, networks and volumes."""
        subprocess.run(
            ["docker", "compose", "--profile", "*", "down", "--volumes", "--timeout", "5"],
            cwd=Path(__file__).parents[2],
            env=os.environ | self.settings,
            capture_output=True,
            timeout=300,
        )
