"""The commands of docs/deploy.md for one container, typed in their order."""

import os
import subprocess

import pytest

from tests.support.docker import BASE, skip_without
from tests.support.documented import Reader

pytestmark = pytest.mark.timeout(1800)  # an image is built in minutes


@pytest.fixture
def name():
    """Yield a name for the container, its volume and its image; remove all three."""
    skip_without(BASE)
    made = f"lookalike-documented-{os.getpid()}"
    yield made
    for command in (["rm", "-f", made], ["volume", "rm", made], ["rmi", made]):
        subprocess.run(["docker", *command], capture_output=True, timeout=120)


def test_a_container_works_by_the_words_of_the_document(name, pictures, free_port, tmp_path):
    instead = {
        r"--name lookalike": f"--name {name}",
        r"(rm -f|logs|exec) lookalike": rf"\1 {name}",
        r"-v lookalike:": f"-v {name}:",
        r"\| tar -x": f"| tar -xC {tmp_path}",
        r"tar -c backup": f"tar -cC {tmp_path} backup",
        r"(-t|=pictures|:/data|--entrypoint sh) lookalike\b": rf"\1 {name}",
        r"127\.0\.0\.1:8001": f"127.0.0.1:{free_port}",
        r"~/photos": str(pictures),
    }

    Reader(tmp_path, os.environ | {"DOCKER_BUILDKIT": "1"}, instead).type(
        "docs/deploy.md", "docker"
    )

    assert (tmp_path / "backup" / "manifest.json").is_file()
