"""The built model, which is kept in `.cache` at the root of the repository."""

import fcntl
import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.support.whole_build import whole_build

PROJECT = Path(__file__).parents[2]
CACHE = PROJECT / ".cache"


def built_models(shared: Path | None = None) -> Path:
    """Return the models folder of a BentoML home that holds the model that the service names.

    An empty folder is filled, from the session's build if there is one.
    """
    home = CACHE / "bentoml"
    CACHE.mkdir(exist_ok=True)
    with (CACHE / "models.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # the tests run in several processes
        if shared is not None and not (home / "models").exists():
            program = whole_build(shared, CACHE / "downloads").program
            shutil.copytree(program.home / "models", home / "models")
            shutil.copy(program.tag_file, PROJECT / "bento_service")
        subprocess.run(
            [
                *(sys.executable, "-m", "model_build", "--if-missing"),
                *("--downloads", CACHE / "downloads"),
            ],
            cwd=PROJECT,
            env={**os.environ, "BENTOML_HOME": str(home)},
            check=True,
            stdout=subprocess.DEVNULL,
            timeout=900,
        )
    return home / "models"
