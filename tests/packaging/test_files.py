"""The files that are no code: they are valid, and they agree with each other."""

import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml

PROJECT = Path(__file__).parents[2]
REQUIREMENTS = ("service", "run", "torch", "dev")


def _pinned(name: str) -> dict[str, str]:
    text = (PROJECT / "requirements" / f"{name}.txt").read_text()
    return dict(re.findall(r"^([a-z0-9][a-z0-9._-]*)(?:\[[a-z,]+\])?==(\S+)", text, re.MULTILINE))


def _name(requirement: str) -> str:
    return re.split(r"[\[<>=!~; ]", requirement)[0].lower()


def test_every_requirement_of_pyproject_is_locked():
    client = tomllib.loads((PROJECT / "pyproject.toml").read_text())
    service = tomllib.loads((PROJECT / "service" / "pyproject.toml").read_text())["project"]
    extras = service["optional-dependencies"]
    needed = client["project"]["dependencies"] + service["dependencies"]
    for extra in ("server", "lite", "object-storage", "tracing", "openvino"):
        needed += extras[extra]
    served = {_name(each) for each in needed} - {"lookalike"}
    run = served | {_name(each) for each in extras["model"]}
    torch = run | {_name(each) for each in extras["torch"]}
    dev = torch | {_name(each) for each in client["dependency-groups"]["dev"]}

    assert served <= _pinned("service").keys()
    assert run <= _pinned("run").keys()
    assert torch <= _pinned("torch").keys()
    assert dev <= _pinned("dev").keys()


def test_no_range_of_a_requirement_is_written_twice():
    client = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    service = tomllib.loads((PROJECT / "service" / "pyproject.toml").read_text())["project"]
    extras = service["optional-dependencies"]
    once = [
        *service["dependencies"],
        *extras["server"],
        *extras["lite"],
        *extras["object-storage"],
        *extras["tracing"],
    ]
    assert len({_name(each) for each in once}) == len(once)
    for extra in ("local", "local-model"):
        (only,) = client["optional-dependencies"][extra]
        assert only.startswith("lookalike-service")


def test_the_locked_versions_are_the_same_in_every_file():
    service, run, torch, dev = map(_pinned, REQUIREMENTS)

    assert service.items() <= run.items() <= torch.items() <= dev.items()


def test_the_service_needs_no_pytorch():
    assert not {"torch", "torchvision", "onnx"} & _pinned("service").keys()


def test_ray_is_locked_apart_with_the_versions_of_the_service():
    extras = tomllib.loads((PROJECT / "service" / "pyproject.toml").read_text())["project"]
    bulk, service = _pinned("bulk"), _pinned("service")

    needed = extras["dependencies"] + extras["optional-dependencies"]["bulk"]
    assert {_name(each) for each in needed} - {"lookalike"} <= bulk.keys()
    assert "ray" not in service
    assert all(bulk[name] == service[name] for name in bulk.keys() & service.keys())


@pytest.mark.parametrize("name", [*REQUIREMENTS, "bulk", "uv"])
def test_locked_requirements_have_hashes_and_no_addresses(name):
    text = (PROJECT / "requirements" / f"{name}.txt").read_text()

    pins = re.findall(r"^\S+==\S+(.*(?:\n    .*)*)", text, re.MULTILINE)
    assert pins
    assert all("--hash=sha256:" in pin for pin in pins)
    assert "://" not in text


def test_the_bento_is_built_from_the_locked_requirements_of_the_service():
    bentofile = yaml.safe_load((PROJECT / "bentofile.yaml").read_text())

    assert bentofile["python"]["requirements_txt"] == "./requirements/service.txt"
    assert bentofile["service"] == "bento_service.service:ImageSearch"
    assert all(pattern.startswith("/") for pattern in bentofile["include"])


def test_the_compose_file_is_valid():
    compose = yaml.safe_load((PROJECT / "docker-compose.yml").read_text())
    service = compose["services"]["lookalike"]

    assert service["restart"] == "unless-stopped"
    assert service["ports"] == ["127.0.0.1:${PORT:-8001}:8001"]
    assert compose["networks"]["index"]["internal"] is True
    assert service["build"]["args"] == {"EXTRAS": "server,openvino"}


def test_docker_reads_the_compose_file():
    docker = shutil.which("docker")
    if docker is None:
        pytest.skip("Docker's client is not installed")
    if subprocess.run([docker, "compose", "version"], check=False, timeout=60).returncode != 0:
        pytest.skip("Docker's client has no compose")

    subprocess.run([docker, "compose", "config", "-q"], cwd=PROJECT, check=True, timeout=60)


def test_nothing_that_is_built_or_downloaded_is_in_the_repository():
    tracked = subprocess.run(
        ["git", "ls-files", "-z"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    ).stdout.split("\0")
    large = [
        name
        for name in tracked
        if name and (PROJECT / name).is_file() and (PROJECT / name).stat().st_size > 600_000
    ]

    assert large == []
    assert [name for name in tracked if (PROJECT / name).is_symlink()] == []


@pytest.mark.parametrize(
    "name", [".env", "lookalike.env", "prometheus.token", "pictures/cat.jpg", "backup/manifest"]
)
def test_git_ignores_what_the_commands_of_the_documents_write(name):
    command = ["git", "check-ignore", "--quiet", "--no-index", name]
    ran = subprocess.run(command, cwd=PROJECT, check=False, timeout=120)
    if ran.returncode == 128:
        pytest.skip("this is no clone")
    assert ran.returncode == 0
