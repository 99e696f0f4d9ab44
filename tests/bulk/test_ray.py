"""The bulk pipeline on a Ray cluster of two machines, while an actor and a machine are killed.

It runs where Ray is installed: in this environment, or in that of `make bulk-check`.
"""

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.bulk.conftest import picture

PROJECT = Path(__file__).parents[2]
SECONDS = 500
DIFFERENT, COPIES = 120, 20


@pytest.fixture
def python():
    own = PROJECT / ".cache" / "bulk" / "bin" / "python"
    if own.exists():
        return own
    if find_spec("ray") is None:
        pytest.skip("Ray is not installed; `make bulk-check` installs it apart")
    return Path(sys.executable)


def test_nothing_is_lost_or_doubled_when_an_actor_and_a_machine_are_killed(
    python, tmp_path, model_folder
):
    images, out = tmp_path / "photos", tmp_path / "out"
    images.mkdir()
    for number in range(DIFFERENT + COPIES):
        (images / f"{number}.png").write_bytes(picture(number % DIFFERENT))
    (images / "text.png").write_text("no picture")
    environment = {
        **{k: v for k, v in os.environ.items() if not k.startswith("LOOKALIKE_")},
        "LOOKALIKE_DATA_DIR": str(tmp_path / "data"),
        "PYTHONPATH": str(PROJECT),
    }

    ran = subprocess.run(
        [python, "-m", "tests.bulk.cluster", images, out, model_folder],
        cwd=PROJECT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )

    assert ran.returncode == 0, ran.stderr[-4000:]
    answer = json.loads(ran.stdout.splitlines()[-1])
    assert answer["killed"]["actors"] == answer["killed"]["nodes"] == 1
    assert answer["killed"]["shards_then"] < answer["shards"]
    assert (answer["images"], answer["broken"]) == (DIFFERENT, 1)
    manifest = json.loads((out / "manifest.json").read_bytes())
    tables = [pq.read_table(out / shard["file"]) for shard in manifest["shards"]]
    rows = [row for table in tables for row in table.to_pylist()]
    assert len({row["sha256"] for row in rows}) == len(rows) == DIFFERENT
    paths = [source["path"] for row in rows for source in row["sources"]]
    assert len(set(paths)) == len(paths) == DIFFERENT + COPIES
