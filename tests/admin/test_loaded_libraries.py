"""The libraries that each command loads, so that it fits beside a service in a small container."""

import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
LARGE = {"sqlalchemy", "pyarrow", "pymilvus", "grpc", "milvus_lite", "PIL", "pandas", "scipy"}


def _loaded(place, *arguments):
    """Run a command; return the large libraries that it has loaded."""
    code = f"""
import sys
from bento_service.admin.__main__ import main
try:
    code = main({[*map(str, arguments)]!r})
except SystemExit as ended:
    code = ended.code
print(*sys.modules, sep="\\n")
sys.exit(code)
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=PROJECT,
        env=place.environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return LARGE.intersection(done.stdout.splitlines())


@pytest.mark.parametrize(
    ("command", "libraries"),
    [
        ("--help", set()),
        ("roots", {"sqlalchemy"}),
        ("backup BACKUP", {"sqlalchemy"}),
        ("verify --catalogue-only --deep", {"sqlalchemy"}),
        ("verify --catalogue-only --repair", {"sqlalchemy"}),
        ("export MAIN.parquet", {"sqlalchemy", "pyarrow"}),
        ("verify", {"sqlalchemy", "pyarrow", "pymilvus", "grpc", "milvus_lite"}),
    ],
)
def test_a_command_loads_only_what_it_uses(place, command, libraries):
    words = [place.folder / word if word[0].isupper() else word for word in command.split()]

    assert _loaded(place, *words) == libraries
