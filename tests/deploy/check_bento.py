"""The image that BentoML makes of a Bento, for minutes: `make deploy-check`."""

import os
import shutil
import subprocess
import sys

import pytest

from client_sdk import Client
from tests.support.docker import BASE, PROJECT, built, docker, running, skip_without, volume

pytestmark = pytest.mark.timeout(3600)  # compilers are installed, and two images built
IMAGE = "lookalike-bento:test"


@pytest.fixture
def image(models, tmp_path):
    """Return the image of a Bento of the checkout."""
    skip_without(BASE)
    shutil.copytree(models, tmp_path / "models")
    environment = os.environ | {"BENTOML_HOME": str(tmp_path), "BENTOML_DO_NOT_TRACK": "true"}
    for command in (["build"], ["containerize", "lookalike:latest", "-t", IMAGE]):
        bentoml = [sys.executable, "-m", "bentoml", *command]
        subprocess.run(bentoml, cwd=PROJECT, env=environment, check=True, timeout=1800)
    return IMAGE


def hits_of(answer):
    return [(hit.source, hit.score) for hit in answer.hits]


def answers(container, pictures):
    """Index the pictures, and return the descriptor and the hits of each."""
    with Client(container.url, token=container.token) as client:
        assert client.train("/pictures").wait(timeout=300).indexed == 6
        return [
            (client.describe(picture), hits_of(client.search(picture)))
            for picture in sorted(pictures.iterdir())
        ]


def test_the_image_of_a_bento_answers_as_that_of_the_dockerfile(image, pictures):
    mounted = ("-v", f"{pictures}:/pictures:ro")
    serve = ("serve", "--timeout-graceful-shutdown", "10")
    with running(built(), *mounted) as container:
        ours = answers(container, pictures)
    with volume() as data:
        owned = ("--rm", "--user", "0", "--entrypoint", "chown", "-v", f"{data}:/data")
        docker("run", *owned, image, "1034", "/data")
        options = (*mounted, "-v", f"{data}:/data", "-e", "LOOKALIKE_IMAGE_ROOTS=/pictures")
        with running(image, *options, command=serve) as container:
            theirs = answers(container, pictures)
    assert theirs == ours
