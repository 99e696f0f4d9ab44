"""The published client, installed alone: a wheel in a fresh environment, as its users have it."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from client_sdk import Client

PROJECT = Path(__file__).parents[2]
UV = Path(sys.executable).parent / "uv"
MAX_PACKAGES = 15
IMPORT = """
import sys, time
before = time.process_time()
__import__(sys.argv[1])
print(time.process_time() - before)
print([name for name in ("numpy", "PIL", "rich", "bento_service") if name in sys.modules])
"""


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """Return the Python of an environment that holds the client and what it needs."""
    folder = tmp_path_factory.mktemp("alone")
    run(UV, "build", "--quiet", "--wheel", "--out-dir", folder, PROJECT)
    (wheel,) = folder.glob("*.whl")
    python = folder / "env" / "bin" / "python"
    run(UV, "venv", "--quiet", "--python", sys.executable, folder / "env")
    run(UV, "pip", "install", "--quiet", "--compile-bytecode", "-p", python, wheel)
    return python


def run(*command, **options):
    environment = {name: text for name, text in os.environ.items() if name != "PYTHONPATH"}
    ran = subprocess.run(
        list(map(str, command)),
        capture_output=True,
        text=True,
        timeout=300,
        env=environment,
        **options,
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def test_it_brings_few_packages_and_nothing_of_the_service(alone):
    installed = {
        one["name"] for one in json.loads(run(UV, "pip", "list", "--format=json", "-p", alone))
    }
    print(f"{len(installed)} packages: {', '.join(sorted(installed))}")  # noqa: T201
    assert {"lookalike", "httpx", "pydantic"} <= installed
    assert len(installed) <= MAX_PACKAGES
    assert not installed & {"numpy", "pillow", "bentoml", "rich", "typer", "pytest"}


def test_importing_it_is_cheap_and_loads_no_library_of_pictures(alone, tmp_path):
    def imported(name):
        runs = [run(alone, "-c", IMPORT, name, cwd=tmp_path).splitlines() for _ in range(7)]
        assert {loaded for _, loaded in runs} == {"[]"}
        return min(float(cpu) for cpu, _ in runs)

    own, of_httpx = imported("client_sdk"), imported("httpx")
    print(f"seconds of CPU: client_sdk {own:.3f}, httpx {of_httpx:.3f}")  # noqa: T201
    assert own < of_httpx / 2


def test_the_first_lines_of_the_readme_find_a_picture(alone, tmp_path, server, photographs):
    section = (PROJECT / "README.md").read_text().partition("## Use it")[2]
    snippet = re.search(r"```python\n(.*?)```", section, re.DOTALL)[1]
    assert len(snippet.splitlines()) <= 10
    shutil.copy(photographs / "chelsea.jpg", tmp_path / "cat.jpg")
    shutil.copy(photographs / "coffee.jpg", tmp_path)
    code = snippet.replace("http://127.0.0.1:8001", server.url)
    best = run(alone, "-c", code, cwd=tmp_path).splitlines()[0]
    with Client(server.url) as client:
        client.delete(all=True, collection="default")  # which others may use too
    assert re.fullmatch(r"(1\.000|0\.999)  .+", best), best
