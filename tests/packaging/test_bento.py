"""The Bento: built from the checkout, served from another directory, with its own model."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from client_sdk import Client

PROJECT = Path(__file__).parents[2]
BESIDE = {"client_sdk/cli", "client_sdk/testing"}
"""What users of the client have, and no service needs."""


@pytest.fixture(scope="module")
def home(models, tmp_path_factory):
    """A BentoML home with the Bento and the model."""
    home = tmp_path_factory.mktemp("home")
    shutil.copytree(models, home / "models")
    _bentoml(home, PROJECT, "build")
    return home


def test_a_built_bento_serves_from_another_directory(home, tmp_path, photographs, free_port):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    address = ["--host", "127.0.0.1", "--port", str(free_port)]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "bentoml", "serve", "lookalike:latest", *address],
            cwd=elsewhere,
            env=_environment(home) | {"LOOKALIKE_DATA_DIR": str(tmp_path / "data")},
            stdout=log,
            stderr=log,
        )
    try:
        with Client(f"http://127.0.0.1:{free_port}") as client:
            client.wait_ready(timeout=180)
            client.upload(sorted(photographs.iterdir())[:2]).wait()
            best = client.search(sorted(photographs.iterdir())[0]).hits[0]
            assert best.score > 0.999
    finally:
        process.terminate()
        process.wait(60)


def test_the_bento_names_its_model_exactly(home):
    tag = (PROJECT / "bento_service" / "model_tag.txt").read_text().strip()
    (latest,) = (home / "bentos" / "lookalike").glob("*/bento.yaml")

    services = yaml.safe_load(latest.read_text())["services"]

    assert {model["tag"] for service in services for model in service["models"]} == {tag}
    assert not tag.endswith(":latest")


def test_the_bento_holds_all_that_the_service_needs_and_nothing_else(home):
    (source,) = (home / "bentos" / "lookalike").glob("*/src")
    packed = {path.relative_to(source) for path in source.rglob("*") if path.is_file()}
    wanted = {
        path.relative_to(PROJECT)
        for package in ("bento_service", "client_sdk")
        for path in (PROJECT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    beside = {path for path in wanted if BESIDE.intersection(map(str, path.parents))}

    assert wanted - beside <= packed
    assert beside
    assert not beside & packed
    assert {path.parts[0] for path in packed} <= {
        "bento_service",
        "client_sdk",
        "bentofile.yaml",
        "requirements",
    }


def _environment(home: Path) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith("LOOKALIKE_")}
    return kept | {"BENTOML_HOME": str(home), "BENTOML_DO_NOT_TRACK": "true"}


def _bentoml(home: Path, folder: Path, *arguments: str) -> None:
    answer = subprocess.run(
        [sys.executable, "-m", "bentoml", *arguments],
        cwd=folder,
        env=_environment(home),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert answer.returncode == 0, answer.stdout + answer.stderr
