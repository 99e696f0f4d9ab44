"""Both wheels in a fresh environment, without what only servers need: `Client.local` searches."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
MOST_PACKAGES = 40
NEVER = {"aiohttp", "bentoml", "grpcio", "milvus-lite", "onnx", "pyarrow", "pymilvus", "torch"}
SCRIPT = """
import sys
from client_sdk import Client

with Client.local() as client:
    client.train(sys.argv[1]).wait()
    for hit in client.search(sys.argv[1] + "/coffee.jpg", top_k=2).hits:
        print(f"{hit.score:.3f} {hit.name}")
"""


@pytest.fixture(scope="module")
def wheels(tmp_path_factory):
    """Return the wheels of the client and of the service, as `make dist` builds them."""
    folder = tmp_path_factory.mktemp("dist")
    for project in (PROJECT, PROJECT / "service"):
        uv("build", "--wheel", "--out-dir", folder, project)
    (client,), (service,) = folder.glob("lookalike-*.whl"), folder.glob("lookalike_service-*.whl")
    return client, service


@pytest.fixture(scope="module")
def environment(wheels, tmp_path_factory):
    """Return the Python of a fresh environment with both wheels."""
    folder = tmp_path_factory.mktemp("environment")
    uv("venv", "--python", sys.executable, folder)
    python = folder / "bin" / "python"
    uv("pip", "install", "--python", python, *wheels)
    return python


def uv(*arguments):
    return run(sys.executable, "-m", "uv", "--quiet", *arguments).stdout


def run(*command, **environment):
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("LOOKALIKE_", "PYTHON"))}
    ran = subprocess.run(
        list(map(str, command)),
        cwd="/",
        env={**kept, **environment},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran


def names_in(wheel):
    with zipfile.ZipFile(wheel) as packed:
        assert sum(one.file_size for one in packed.infolist()) < 3_000_000
        return {one.filename for one in packed.infolist()}


def packages_in(names):
    tops = {name.partition("/")[0] for name in names}
    return {top for top in tops if not top.endswith(".dist-info")}


def test_each_wheel_holds_its_own_code_and_nothing_that_was_built(wheels):
    client, service = map(names_in, wheels)
    assert packages_in(client) == {"client_sdk"}
    assert "client_sdk/py.typed" in client
    assert packages_in(service) == {"bento_service", "model_build"}
    assert "bento_service/model_tag.txt" not in service
    assert "bento_service/catalogue/migrations/script.py.mako" in service
    assert not {name for name in client | service if "__pycache__" in name}


def test_a_fresh_environment_trains_and_searches_without_what_only_servers_need(
    environment, model_folder, photographs
):
    ran = run(environment, "-W", "error", "-c", SCRIPT, photographs, LOOKALIKE_MODEL=model_folder)
    best, second = ran.stdout.splitlines()
    assert best == "1.000 coffee.jpg"
    assert float(second.split()[0]) < 0.9
    installed = {
        line.partition("==")[0]
        for line in uv("pip", "freeze", "--python", environment).splitlines()
    }
    assert "onnxruntime" in installed
    assert not NEVER & installed
    assert len(installed) <= MOST_PACKAGES
