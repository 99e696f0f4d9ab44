"""Containers of a real Docker engine, for the tests of the images and of the compose file."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from tests.support.waiting import wait_until

PROJECT = Path(__file__).parents[2]
BASE = "python:3.11-slim"
_COMMAND_SECONDS = 1800
_READY_SECONDS = 400


def docker(*arguments: str | Path, seconds: float = _COMMAND_SECONDS, **environment: str) -> str:
    """Run a command of Docker in the checkout, and return what it printed on both streams."""
    ran = subprocess.run(
        ["docker", *map(str, arguments)],
        cwd=PROJECT,
        env=os.environ | {"DOCKER_BUILDKIT": "1", "BUILDKIT_PROGRESS": "plain"} | environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=seconds,
        check=False,
    )
    assert ran.returncode == 0, f"docker {' '.join(map(str, arguments))}:\n{ran.stdout[-4000:]}"
    return ran.stdout.strip()


def skip_without(*needed: str) -> None:
    """Skip a test where Docker does not answer, or an image of others cannot be had."""
    if shutil.which("docker") is None:
        pytest.skip("Docker is not installed")
    if subprocess.run(["docker", "info"], capture_output=True, timeout=60).returncode != 0:
        pytest.skip("Docker does not answer")
    for image in needed:
        for command in (["image", "inspect"], ["pull", "--quiet"]):
            got = subprocess.run(["docker", *command, image], capture_output=True, timeout=300)
            if got.returncode == 0:
                break
        else:
            pytest.skip(f"the image {image} is not here and cannot be pulled")


def built(extras: str | None = None) -> str:
    """Build the image of the checkout, or a variant of it; return its name, as `make` names it."""
    name = "lookalike:test" if extras is None else f"lookalike-{extras.replace(',', '-')}:test"
    options = [] if extras is None else [f"--build-arg=EXTRAS={extras}"]
    docker("build", "--tag", name, *options, ".")
    return name


class Container:
    """A running container of the service.

    Attributes:
        name: Its name.
    """

    def __init__(self, name: str) -> None:
        self.name = name

    @property
    def url(self) -> str:
        """The address of its published port on this machine."""
        return f"http://{docker('port', self.name, '8001').splitlines()[0]}"

    @property
    def log(self) -> str:
        """The output of the container."""
        return docker("logs", self.name)

    @property
    def token(self) -> str:
        """The first token, as it is printed at the first start."""
        found = re.search(r"the first token is (\w+)", self.log)
        assert found, self.log
        return found[1]

    def inspect(self, template: str) -> str:
        """Return a detail of its state, by a template of Go."""
        return docker("inspect", "--format", template, self.name)

    def execute(self, *command: str) -> str:
        """Run a command inside it, as the operator does."""
        return docker("exec", self.name, *command)

    def wait(self) -> None:
        """Wait until searches can be answered."""
        wait_until(
            lambda: self._is_ready() or self.inspect("{{.State.Running}}") == "false",
            seconds=_READY_SECONDS,
            pause=0.1,
            message=lambda: self.log[-4000:],
        )
        assert self._is_ready(), self.log[-4000:]

    def _is_ready(self) -> bool:
        try:
            return httpx.get(f"{self.url}/readyz", timeout=10).status_code == 200
        except (httpx.HTTPError, AssertionError):
            return False


@contextmanager
def running(image: str, *options: str | Path, command: Sequence[str] = ()) -> Iterator[Container]:
    """Run a container with its port published to this machine; remove it at the end."""
    name = f"lookalike-test-{uuid4().hex[:8]}"
    published = ("--detach", "--name", name, "--publish", "127.0.0.1::8001")
    try:
        docker("run", *published, *options, image, *command)
        container = Container(name)
        container.wait()
        yield container
    finally:
        docker("rm", "--force", "--volumes", name)


@contextmanager
def volume() -> Iterator[str]:
    """Make a named volume; remove it at the end."""
    name = f"lookalike-test-{uuid4().hex[:8]}"
    docker("volume", "create", name)
    try:
        yield name
    finally:
        docker("volume", "rm", "--force", name)
