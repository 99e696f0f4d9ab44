"""The client's tests, and one of a whole service, on every other Python of this machine."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
UV = Path(sys.executable).parent / "uv"
OLDEST, NEWEST = 11, 14
LOCKED = PROJECT / "requirements" / "dev.txt"
NEEDED = (
    *("hypothesis", "ipython", "psutil", "pytest-timeout", "pyyaml", "ruff"),
    *("onnx", "safetensors", "scikit-image"),  # of the model and its photographs
)
CLIENT = (
    *("tests/client_sdk", "tests/contract/core", "-k", "client_sdk or fake"),
    # These need a browser, a server or a terminal.
    *("--ignore=tests/client_sdk/testing", "--ignore=tests/client_sdk/cli"),
)
SERVICE = (
    "tests/contract/core/test_indexing.py"
    "::test_a_folder_is_indexed_and_every_photograph_finds_itself_first[serve]"
)


def _others():
    """Return the other Pythons from 3.11 on, by version: of the search path, and of pyenv."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    others = {}
    for minor in sorted({*range(OLDEST, NEWEST + 1)} - {sys.version_info.minor}):
        name = f"python3.{minor}"
        found = [shutil.which(name), *sorted(pyenv.glob(f"3.{minor}.*/bin/{name}"))]
        if works := [python for python in found if python and _works(python)]:
            others[f"3.{minor}"] = works[-1]
    return others


def _works(python):
    """Return whether a command is a Python, and not a shim without one behind it."""
    tried = subprocess.run([python, "-c", "import venv"], capture_output=True, timeout=60)
    return tried.returncode == 0


_NONE = pytest.param(None, marks=pytest.mark.skip(reason="this machine has one Python from 3.11"))
OTHERS = _others() or {"none": _NONE}


@pytest.mark.timeout(2400)
@pytest.mark.parametrize("python", OTHERS.values(), ids=OTHERS)
def test_the_clients_tests_pass_on_another_python(python, tmp_path):
    environment = tmp_path / "env"
    own = environment / "bin" / "python"
    run(UV, "venv", "--quiet", "--python", python, environment)
    install = (UV, "pip", "install", "--quiet", "--python", own)
    run(*install, "--require-hashes", "-r", PROJECT / "requirements" / "service.txt")
    client = ("-r", PROJECT / "pyproject.toml", "--extra", "cli", "--extra", "pytest")
    run(*install, "--constraint", LOCKED, *client, *NEEDED)
    for chosen in (CLIENT, (SERVICE,)):
        run(own, "-m", "pytest", "-q", "-p", "no:cacheprovider", *chosen, cwd=PROJECT)


def run(*command, **options):
    outside = {"PYTHONPATH", "PYTEST_ADDOPTS", "PYTEST_XDIST_WORKER", "VIRTUAL_ENV"}
    environment = {name: text for name, text in os.environ.items() if name not in outside}
    ran = subprocess.run(
        list(map(str, command)),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=1200,
        env=environment,
        **options,
    )
    assert ran.returncode == 0, ran.stdout[-5000:]
