import os
import stat
from pathlib import Path

import pytest

from bento_service.vision.descriptor_version import DescriptorVersion, Weights
from bento_service.vision.engine import GOLDEN_FILE, NETWORK_FILE, VERSION_FILE
from model_build.store import (
    bentoml_home,
    is_stored,
    name_published,
    published_tag,
    stored_folder,
    tag_of,
    write_version,
)

VERSION = DescriptorVersion(weights=Weights(digest="0" * 64, source="a test"))


@pytest.fixture(autouse=True)
def home(monkeypatch, tmp_path) -> Path:
    monkeypatch.setenv("BENTOML_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def model_in(folder, version=VERSION, network=b"network"):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / NETWORK_FILE).write_bytes(network)
    (folder / GOLDEN_FILE).write_bytes(b"golden vectors")
    write_version(version, folder)
    return folder


@pytest.fixture
def stored(tmp_path) -> str:
    """The tag of a model that was put into the store by hand."""
    return store(tmp_path)


def store(tmp_path, version=VERSION):
    tag = tag_of(model_in(tmp_path / "built", version))
    (model_in(stored_folder(tag), version) / "model.yaml").write_text("name: vgg16\n")
    return tag


def test_bentomls_folder_is_where_bentoml_looks_for_it(monkeypatch):
    monkeypatch.setenv("HOME", "/home/somebody")
    for value, folder in [
        ("~/here", "/home/somebody/here"),
        ("$HOME/there", "/home/somebody/there"),
    ]:
        monkeypatch.setenv("BENTOML_HOME", value)
        assert bentoml_home() == Path(folder)
    monkeypatch.delenv("BENTOML_HOME")
    assert bentoml_home() == Path("/home/somebody/bentoml")


def test_equal_files_have_the_same_tag_wherever_they_lie(tmp_path):
    assert tag_of(model_in(tmp_path / "a")) == tag_of(model_in(tmp_path / "b"))


@pytest.mark.parametrize("name", [NETWORK_FILE, GOLDEN_FILE, VERSION_FILE])
def test_every_file_has_a_part_in_the_tag(tmp_path, name):
    folder = model_in(tmp_path / "a")
    before = tag_of(folder)
    with (folder / name).open("ab") as file:
        file.write(b" ")
    assert tag_of(folder) != before


def test_files_that_were_exchanged_have_another_tag(tmp_path):
    folder = model_in(tmp_path / "a")
    before = tag_of(folder)
    (folder / NETWORK_FILE).write_bytes(b"golden vectors")
    (folder / GOLDEN_FILE).write_bytes(b"network")
    assert tag_of(folder) != before


def test_a_whole_model_counts_as_stored(stored):
    assert is_stored(stored)


@pytest.mark.parametrize("name", [NETWORK_FILE, GOLDEN_FILE, VERSION_FILE, "model.yaml"])
def test_a_model_without_one_of_its_files_does_not_count_as_stored(stored, name):
    (stored_folder(stored) / name).unlink()
    assert not is_stored(stored)


def test_a_model_whose_copy_was_broken_off_does_not_count_as_stored(stored):
    (stored_folder(stored) / NETWORK_FILE).write_bytes(b"netw")
    assert not is_stored(stored)


def test_the_published_tag_is_the_one_that_was_named(stored, tmp_path):
    name_published(stored, tmp_path / "tag.txt")
    assert published_tag(tmp_path / "tag.txt") == stored


def test_nothing_is_published_before_it_was_named(stored, tmp_path):
    assert published_tag(tmp_path / "tag.txt") is None


@pytest.mark.parametrize("content", ["", "vgg16:latest", "vgg16:0123456789abcdef", "../vgg16:00"])
def test_a_tag_that_names_no_stored_model_counts_for_nothing(stored, tmp_path, content):
    (tmp_path / "tag.txt").write_text(content)
    assert published_tag(tmp_path / "tag.txt") is None


def test_a_model_of_a_former_version_of_this_program_is_to_be_built_again(tmp_path):
    former = VERSION.model_copy(update={"dimension": 256})
    name_published(store(tmp_path, former), tmp_path / "tag.txt")
    assert published_tag(tmp_path / "tag.txt") is None


def test_naming_a_model_leaves_one_file_that_everybody_may_read(stored, tmp_path):
    folder = tmp_path / "package"
    folder.mkdir()
    former = os.umask(0o022)
    try:
        name_published("vgg16:0123456789abcdef", folder / "tag.txt")
        name_published(stored, folder / "tag.txt")
    finally:
        os.umask(former)
    (file,) = folder.iterdir()
    assert file.read_text() == f"{stored}\n"
    assert stat.S_IMODE(file.stat().st_mode) == 0o644


def test_a_version_is_read_back_as_it_was_written(tmp_path):
    write_version(VERSION, tmp_path)
    content = (tmp_path / VERSION_FILE).read_bytes()
    assert DescriptorVersion.model_validate_json(content) == VERSION
