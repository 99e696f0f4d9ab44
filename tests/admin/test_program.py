"""The commands started like an operator does; other tests fork them."""

import json

from tests.admin.programs import run_python


def test_a_command_runs_as_a_program(place):
    done = run_python(place, "-m", "bento_service.admin", "verify", "--json")

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["findings"] == []


def test_a_refusal_is_exit_code_2_and_one_line(place):
    done = run_python(place, "-m", "bento_service.admin", "verify", LOOKALIKE_DATA_DIRR="x")

    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert "LOOKALIKE_DATA_DIRR is not a setting" in done.stderr


def test_parquet_is_written_and_read_without_pandas(place):
    file = str(place.folder / "main.parquet")
    code = f"""
import sys
from bento_service.admin.__main__ import main
assert main(["export", {file!r}, "--collection", "main"]) == 0
assert main(["import", {file!r}, "--collection", "copy"]) == 0
assert "pyarrow" in sys.modules and "pandas" not in sys.modules
"""
    done = run_python(place, "-c", code)
    assert done.returncode == 0, done.stderr
