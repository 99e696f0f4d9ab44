"""The larger variants of the image, built and started, for minutes: `make deploy-check`."""

import pytest

from client_sdk import Client
from tests.support.docker import BASE, built, docker, running, skip_without

pytestmark = pytest.mark.timeout(3600)  # PyTorch with what it needs has gigabytes


@pytest.fixture(scope="module", autouse=True)
def base():
    skip_without(BASE)


def test_pytorch_describes_pictures_where_there_is_no_device(pictures):
    image = built("server,lite,torch")
    chosen = ("-e", "LOOKALIKE_ENGINE=torch", "-v", f"{pictures}:/pictures:ro")
    with (
        running(image, *chosen) as container,
        Client(container.url, token=container.token) as client,
    ):
        assert client.info().engine == "torch"
        assert client.train("/pictures").wait(timeout=300).indexed == 6
        assert client.search(pictures / "coffee.jpg").hits[0].score > 0.999


@pytest.mark.parametrize(
    ("extra", "module"),
    [("object-storage", "s3fs"), ("tracing", "opentelemetry.exporter.otlp.proto.http")],
)
def test_what_an_extra_adds_can_be_loaded(extra, module):
    image = built(f"server,{extra}")
    docker("run", "--rm", "--entrypoint", "python", image, "-c", f"import {module}")
