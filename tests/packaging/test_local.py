"""The wheel with the extra `local`, alone in a fresh environment: it trains and searches."""

import os
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
MOST_PACKAGES = 40
NEVER = {"aiohttp", "bentoml", "grpcio", "milvus-lite", "onnx", "pyarrow", "pymilvus", "torch"}
SCRIPT = """
import sys
import tomllib
from client_sdk import Client

with Client.local() as client:
    client.train(sys.argv[1]).wait()
    for hit in client.search(sys.argv[1] + "/coffee.jpg", top_k=2).hits:
        print(f"{hit.score:.3f} {hit.name}")
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dist")
    uv("build", "--wheel", "--out-dir", folder, PROJECT)
    (wheel,) = folder.glob("*.whl")
    return wheel


@pytest.fixture(scope="module")
def environment(wheel, tmp_path_factory):
    """A fresh one with the wheel and its extra `local`; its Python."""
    folder = tmp_path_factory.mktemp("environment")
    uv("venv", "--python", sys.executable, folder)
    python = folder / "bin" / "python"
    uv("pip", "install", "--python", python, f"lookalike[local] @ {wheel.as_uri()}")
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


def test_the_wheel_holds_the_code_and_nothing_that_was_built(wheel):
    with zipfile.ZipFile(wheel) as packed:
        names = {one.filename for one in packed.infolist()}
        assert sum(one.file_size for one in packed.infolist()) < 3_000_000
    tops = {name.partition("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {
        "bento_service",
        "client_sdk",
        "model_build",
    }
    assert "bento_service/model_tag.txt" not in names
    assert "bento_service/catalogue/migrations/script.py.mako" in names
    assert "client_sdk/py.typed" in names


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


def test_the_ranges_of_the_extra_are_those_of_the_service():

    extras = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"][
        "optional-dependencies"
    ]
    assert set(extras["local"]) <= set(extras["service"])
    assert set(extras["local-model"]) <= set(extras["model-build"])
