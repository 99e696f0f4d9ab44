"""The Python with which `make` sets up the environment, in copies of the Makefile alone."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
PROGRAMS = ("make", "sh", "rm", "touch", "mkdir", "cp", "test", "env")
FAKE = """#!{python}
# Python {version}, as far as `make` looks: runs what `-c` says, and remembers everything else.
import os, pathlib, sys
if sys.argv[1] == "-c":
    sys.version_info = ({major}, {minor}, 0, "final", 0)
    if {without_ensurepip}:
        sys.modules["ensurepip"] = None
    exec(sys.argv[2])
elif sys.argv[1:3] == ["-m", "venv"]:
    folder = pathlib.Path(sys.argv[-1], "bin")
    folder.mkdir(parents=True, exist_ok=True)
    copy = folder / "python"
    copy.unlink(missing_ok=True)
    copy.write_text(pathlib.Path(__file__).read_text())
    copy.chmod(0o755)
    print("made with {name}")
"""


class Machine:
    """A checkout with nothing but the Makefile, and a path with nothing but what is put there."""

    def __init__(self, folder: Path) -> None:
        self.checkout, self.path = folder / "checkout", folder / "path"
        (self.checkout / "requirements").mkdir(parents=True)
        self.path.mkdir()
        shutil.copy(PROJECT / "Makefile", self.checkout)
        shutil.copy(PROJECT / "requirements" / "uv.txt", self.checkout / "requirements")
        for name in PROGRAMS:
            (self.path / name).symlink_to(shutil.which(name))

    def python(self, name: str, version: str, *, ensurepip: bool = True) -> Path:
        major, minor = version.split(".")
        fake = self.path / name
        fake.write_text(
            FAKE.format(
                python=sys.executable,
                version=version,
                major=major,
                minor=minor,
                name=name,
                without_ensurepip=not ensurepip,
            )
        )
        fake.chmod(0o755)
        return fake

    def make(
        self, *arguments: str, target: str = ".venv/uv.stamp"
    ) -> subprocess.CompletedProcess[str]:
        kept = ("HOME", "PIP_INDEX_URL", "PIP_CONFIG_FILE", "PIP_CERT", "SSL_CERT_FILE", "TMPDIR")
        return subprocess.run(
            [self.path / "make", target, *arguments],
            cwd=self.checkout,
            env={name: os.environ[name] for name in kept if name in os.environ}
            | {"PATH": str(self.path)},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )


@pytest.fixture
def machine(tmp_path):
    return Machine(tmp_path)


@pytest.mark.parametrize(
    ("pythons", "chosen"),
    [
        ({"python3.12": "3.12", "python3": "3.12"}, "python3.12"),
        ({"python3": "3.12"}, "python3"),  # Ubuntu 24.04
        ({"python3": "3.13"}, "python3"),  # Debian 13
        ({"python3": "3.14"}, "python3"),
        ({"python3": "3.10", "python3.13": "3.13"}, "python3.13"),
        ({"python3": "3.14", "python3.14": "3.14", "python3.11": "3.11"}, "python3.11"),
    ],
)
def test_the_environment_is_made_with_a_python_that_is_there(machine, pythons, chosen):
    for name, version in pythons.items():
        machine.python(name, version)

    made = machine.make()

    assert (made.returncode, made.stdout, made.stderr) == (0, f"made with {chosen}\n", "")


@pytest.mark.parametrize("pythons", [{}, {"python3": "3.10"}, {"python3": "3.15"}])
def test_without_one_a_single_line_says_what_to_install(machine, pythons):
    for name, version in pythons.items():
        machine.python(name, version)

    made = machine.make()

    assert (made.returncode, made.stdout, made.stderr.count("\n")) == (2, "", 1), made.stderr
    assert "There is no Python 3.11 to 3.14 with `venv`" in made.stderr
    assert "apt install python3-venv" in made.stderr
    assert "dnf install python3" in made.stderr
    assert not (machine.checkout / ".venv").exists()


def test_a_python_that_cannot_make_environments_is_passed_over(machine):
    machine.python("python3.11", "3.11", ensurepip=False)  # Debian without python3-venv
    assert "apt install python3-venv" in machine.make().stderr
    machine.python("python3.12", "3.12")
    assert machine.make().stdout == "made with python3.12\n"


def test_a_command_that_only_says_that_it_has_no_such_python_is_passed_over(machine):
    shim = machine.path / "python3.11"
    shim.write_text("#!/bin/sh\necho 'python3.11: command not found' >&2\nexit 127\n")
    shim.chmod(0o755)
    machine.python("python3", "3.13")

    assert machine.make().stdout == "made with python3\n"


def test_the_python_that_is_named_is_taken(machine, tmp_path):
    machine.python("python3.11", "3.11")
    named = machine.python("other", "3.13").rename(tmp_path / "python")

    assert machine.make(f"PYTHON={named}").stdout == "made with other\n"


def test_a_named_python_that_is_too_old_is_refused(machine):
    machine.python("python3.11", "3.11")
    machine.python("old", "3.9")

    made = machine.make("PYTHON=old")

    assert (made.returncode, made.stdout) == (2, "")
    assert "old is no Python 3.11 to 3.14" in made.stderr


def test_an_environment_whose_python_is_gone_or_another_one_is_made_again(machine):
    machine.python("python3.11", "3.11")
    assert machine.make().stdout == "made with python3.11\n"
    assert "up to date" in machine.make().stdout
    inside = machine.checkout / ".venv" / "bin" / "python"

    inside.unlink()
    inside.symlink_to("/usr/bin/python-that-was-upgraded-away")
    assert machine.make().stdout == "made with python3.11\n"

    machine.python("python3.10", "3.10").replace(inside)
    assert machine.make().stdout == "made with python3.11\n"

    machine.python("python3.13", "3.13")
    assert "up to date" in machine.make().stdout
    assert machine.make("PYTHON=python3.13").stdout == "made with python3.13\n"
    assert "up to date" in machine.make().stdout


def test_a_new_data_folder_gets_a_copy_of_the_model_that_the_usual_one_holds(machine):
    machine.python("python3.11", "3.11")
    machine.make()
    (machine.checkout / "requirements" / "run.txt").touch()
    (machine.checkout / ".venv" / "dev.stamp").touch()  # so that nothing is installed
    models = machine.checkout / "data" / "bentoml" / "models"
    models.mkdir(parents=True)
    (models / "network.onnx").write_text("a network")

    made = machine.make("LOOKALIKE_DATA_DIR=other", target="model")

    assert made.returncode == 0, made.stderr
    copy = machine.checkout / "other" / "bentoml" / "models" / "network.onnx"
    assert copy.read_text() == "a network"
    (models / "network.onnx").write_text("another network")
    machine.make("LOOKALIKE_DATA_DIR=other", target="model")
    assert copy.read_text() == "a network"


def test_a_real_python_alone_on_the_path_gets_the_installer(machine):
    (machine.path / "python3").symlink_to(Path(sys.base_prefix, "bin", "python3").resolve())

    made = machine.make()

    assert made.returncode == 0, made.stderr
    uv = subprocess.run(
        [machine.checkout / ".venv" / "bin" / "uv", "--version"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert uv.stdout.startswith("uv ")


@pytest.mark.parametrize(
    ("variables", "name"),
    [
        ([], "lookalike"),
        (["EXTRAS=server,lite,openvino"], "lookalike"),
        (["EXTRAS=server"], "lookalike-server"),
        (["EXTRAS=server,lite,torch"], "lookalike-server-lite-torch"),
        (["EXTRAS=server", "IMAGE=registry.example/pictures:2"], "registry.example/pictures:2"),
    ],
)
def test_each_variant_of_the_image_has_a_name_of_its_own(machine, variables, name):
    shown = machine.make("--dry-run", *variables, target="image")

    assert f"docker build --tag {name} --build-arg EXTRAS=" in shown.stdout
