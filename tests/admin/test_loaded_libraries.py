"""The libraries that each command loads, so that it fits beside a service in a small container."""

import pytest

from tests.admin.programs import run_python

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
    done = run_python(place, "-c", code)
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
