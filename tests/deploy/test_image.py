"""The image: built, and run as a user runs it, by a real Docker engine."""

from uuid import uuid4

import httpx
import pytest
import yaml

from client_sdk import Client
from tests.support.docker import BASE, PROJECT, built, docker, running, skip_without, volume
from tests.support.waiting import wait_until

pytestmark = pytest.mark.timeout(1800)  # an image is built in minutes
MB = 1_000_000
HARDENED = (
    *("--read-only", "--tmpfs", "/tmp:size=512m", "--user", "12345:12345", "--cap-drop", "ALL"),  # noqa: S108
    *("--security-opt", "no-new-privileges", "--memory", "512m", "--pids-limit", "128"),
)


@pytest.fixture(scope="module")
def full():
    """Return the image with Milvus Lite inside."""
    skip_without(BASE)
    return built()


@pytest.fixture(scope="module")
def server():
    """Return the image for a Milvus server."""
    skip_without(BASE)
    return built("server")


def test_the_images_are_small(full, server):
    sizes = [int(docker("image", "inspect", "--format", "{{.Size}}", x)) for x in (full, server)]
    print(f"full {sizes[0] / MB:.0f} MB, server {sizes[1] / MB:.0f} MB")  # noqa: T201
    assert sizes[0] <= 900 * MB
    assert sizes[1] <= 600 * MB


def test_two_builds_have_the_same_layers(full):
    layers = ("image", "inspect", "--format", "{{json .RootFS.Layers}}")
    again = "lookalike-again:test"
    docker("build", "--no-cache", "--tag", again, ".")
    assert docker(*layers, again) == docker(*layers, full)


def test_one_hardened_container_is_a_whole_system_that_only_its_token_opens(full, pictures):
    with (
        volume() as data,
        running(
            full, *HARDENED, "-v", f"{pictures}:/pictures:ro", "-v", f"{data}:/data"
        ) as container,
    ):
        assert httpx.get(f"{container.url}/").status_code == 200
        assert httpx.get(f"{container.url}/api/v2/count").status_code == 401
        with Client(container.url, token=container.token) as client:
            job = client.train("/pictures").wait(timeout=120)
            assert (job.indexed, job.failed) == (6, 0)
            best = client.search(pictures / "coffee.jpg").hits[0]
            assert best.score > 0.999
            assert best.source == "pictures/coffee.jpg"
        assert container.inspect("{{.State.OOMKilled}}") == "false"
        docker("update", "--memory", "640m", container.name)  # for the command beside it
        assert container.execute("lookalike-admin", "verify", "--catalogue-only").endswith(
            "no findings"
        )

        docker("restart", container.name)
        container.wait()

        assert container.log.count("the first token is") == 1
        with Client(container.url, token=container.token) as client:
            assert client.count() == 6
        assert container.inspect("{{.State.OOMKilled}}") == "false"


def test_it_becomes_healthy_and_stops_at_once(full):
    with running(full) as container:
        wait_until(lambda: container.inspect("{{.State.Health.Status}}") == "healthy", seconds=60)
        docker("stop", "--time", "20", container.name)
        assert container.inspect("{{.State.ExitCode}}") == "0"


def test_the_smaller_one_says_what_it_needs(server):
    ran = docker("run", "--rm", "--entrypoint", "sh", server, "-c", "python -m bento_service || :")
    assert ran == (
        "lookalike: LOOKALIKE_MILVUS_URI names no server, and Milvus Lite is not installed; set "
        "it to http://host:19530, or install lookalike-service[lite]"
    )
    ran = docker("run", "--rm", "--entrypoint", "sh", server, "-c", "lookalike-admin export x || :")
    assert ran.endswith("install lookalike-service[lite]")


def test_the_image_has_labels_a_health_check_and_no_root(full):
    config = "{{.Config.User}} {{.Config.Healthcheck.Interval}} {{json .Config.Labels}}"
    described = docker("image", "inspect", "--format", config, full)
    assert described.startswith("10001:10001 10s ")
    assert '"org.opencontainers.image.licenses":"Apache-2.0"' in described


def test_the_image_reports_no_usage_under_another_entrypoint(full):
    """The pods of `scaled` and `gpu` start BentoML themselves."""
    environment = docker("image", "inspect", "--format", "{{json .Config.Env}}", full)
    assert '"BENTOML_DO_NOT_TRACK=true"' in environment


def test_the_image_holds_the_code_and_no_data_of_this_checkout(full):
    listed = docker("run", "--rm", "--entrypoint", "find", full, "/opt/lookalike/code", "/data")
    tops = {line.split("/")[4] for line in listed.splitlines() if line.count("/") == 4}
    assert {"bento_service", "client_sdk", "model_build"} <= tops
    assert not {"tests", "data", ".venv", "docs"} & tops
    assert [line for line in listed.splitlines() if line.startswith("/data")] == ["/data"]


def test_service_and_embedder_work_apart_by_the_commands_of_the_manifests(full, pictures):
    scaled = PROJECT / "deploy" / "kubernetes" / "overlays" / "scaled"
    documents = yaml.safe_load_all((scaled / "embedder.yaml").read_text())
    (embedder,) = (one for one in documents if one["kind"] == "Deployment")
    embed = embedder["spec"]["template"]["spec"]["containers"][0]["command"]
    patches = yaml.safe_load((scaled / "kustomization.yaml").read_text())["patches"]
    (serve,) = (
        one["value"] for one in yaml.safe_load(patches[0]["patch"]) if one["path"].endswith("d")
    )
    precision = ("--env", "LOOKALIKE_PRECISION=fp32")
    network = f"lookalike-test-{uuid4().hex[:8]}"
    docker("network", "create", network)
    try:
        apart = ("--detach", "--network", network, "--network-alias", "embedder", *precision)
        docker("run", *apart, "--name", f"{network}-embedder", "--entrypoint", "", full, *embed)
        hardened = (*HARDENED, *precision, "--network", network, "--entrypoint", "")
        with running(full, *hardened, "-v", f"{pictures}:/pictures:ro", command=serve) as service:
            with Client(service.url, token=service.token) as client:
                assert client.train("/pictures").wait(timeout=120).indexed == 6
                assert client.search(pictures / "coffee.jpg").hits[0].score > 0.999
            metrics = httpx.get(
                f"{service.url}/metrics", headers={"Authorization": f"Bearer {service.token}"}
            ).text
            assert 'endpoint="/describe_query"' in metrics
    finally:
        docker("rm", "--force", "--volumes", f"{network}-embedder")
        docker("network", "rm", network)
