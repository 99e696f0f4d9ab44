import os
import stat
from pathlib import Path

import pytest

from bento_service.descriptors.golden import GOLDEN_FILE
from bento_service.descriptors.model import NETWORK_FILES, WEIGHTS_FILE
from bento_service.descriptors.version import (
    DESCRIPTORS,
    PRECISIONS,
    QUANTISED,
    VERSIONS_FILE,
    Weights,
    write_versions,
)
from model_build.activation_ranges import RANGES_FILE, ActivationRanges
from model_build.store import (
    MODEL_FILES,
    all_versions,
    bentoml_home,
    is_stored,
    name_published,
    published_tag,
    stored_folder,
    tag_of,
)

WEIGHTS = Weights(digest="0" * 64, source="a test")
RANGES = ActivationRanges.committed()
VERSIONS = all_versions(WEIGHTS, RANGES)
NETWORK = NETWORK_FILES["int8"]


@pytest.fixture(autouse=True)
def home(monkeypatch, tmp_path) -> Path:
    monkeypatch.setenv("BENTOML_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def model_in(folder, versions=VERSIONS, ranges=RANGES):
    folder.mkdir(parents=True, exist_ok=True)
    for name in MODEL_FILES:
        (folder / name).write_bytes(name.encode())
    write_versions(versions, folder)
    ranges.save(folder / RANGES_FILE)
    return folder


@pytest.fixture
def stored(tmp_path) -> str:
    """Return the tag of a model that was put into the store by hand."""
    return store(tmp_path)


def store(tmp_path, versions=VERSIONS, ranges=RANGES):
    tag = tag_of(model_in(tmp_path / "built", versions, ranges))
    (model_in(stored_folder(tag), versions, ranges) / "model.yaml").write_text("name: vgg16\n")
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


def test_a_model_is_its_weights_two_networks_golden_vectors_versions_and_ranges():
    assert set(MODEL_FILES) == {
        WEIGHTS_FILE,
        NETWORK_FILES["fp32"],
        NETWORK_FILES["int8"],
        GOLDEN_FILE,
        VERSIONS_FILE,
        RANGES_FILE,
    }


def test_equal_files_have_the_same_tag_wherever_they_lie(tmp_path):
    assert tag_of(model_in(tmp_path / "a")) == tag_of(model_in(tmp_path / "b"))


@pytest.mark.parametrize("name", MODEL_FILES)
def test_every_file_has_a_part_in_the_tag(tmp_path, name):
    folder = model_in(tmp_path / "a")
    before = tag_of(folder)
    with (folder / name).open("ab") as file:
        file.write(b" ")
    assert tag_of(folder) != before


def test_files_that_were_exchanged_have_another_tag(tmp_path):
    folder = model_in(tmp_path / "a")
    before = tag_of(folder)
    (folder / NETWORK).write_bytes(GOLDEN_FILE.encode())
    (folder / GOLDEN_FILE).write_bytes(NETWORK.encode())
    assert tag_of(folder) != before


def test_a_whole_model_counts_as_stored(stored):
    assert is_stored(stored)


@pytest.mark.parametrize("name", [*MODEL_FILES, "model.yaml"])
def test_a_model_without_one_of_its_files_does_not_count_as_stored(stored, name):
    (stored_folder(stored) / name).unlink()
    assert not is_stored(stored)


def test_a_model_whose_copy_was_broken_off_does_not_count_as_stored(stored):
    (stored_folder(stored) / NETWORK).write_bytes(b"vgg")
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


@pytest.mark.parametrize(
    "former",
    [
        VERSIONS[:-1],
        VERSIONS[::-1],
        (VERSIONS[0].model_copy(update={"dimension": 256}), *VERSIONS[1:]),
        (),
    ],
    ids=["one less", "another order", "another dimension", "none"],
)
def test_a_model_of_a_former_version_of_this_program_is_to_be_built_again(tmp_path, former):
    name_published(store(tmp_path, former), tmp_path / "tag.txt")
    assert published_tag(tmp_path / "tag.txt") is None


@pytest.mark.parametrize("name", [VERSIONS_FILE, RANGES_FILE])
def test_a_model_whose_records_cannot_be_read_any_more_is_to_be_built_again(tmp_path, name):
    folder = model_in(tmp_path / "built")
    (folder / name).write_text('{"of": "another release"}\n')
    tag = tag_of(folder)
    stored_folder(tag).parent.mkdir(parents=True)
    folder.rename(stored_folder(tag))
    (stored_folder(tag) / "model.yaml").write_text("name: vgg16\n")
    name_published(tag, tmp_path / "tag.txt")
    assert is_stored(tag)
    assert published_tag(tmp_path / "tag.txt") is None


def test_a_model_that_was_calibrated_on_other_photographs_stays(tmp_path):
    """It is as good as the one that is built without; only whoever wants it builds it again."""
    maxima = {layer: 2 * largest for layer, largest in RANGES.maxima.items()}
    others = RANGES.model_copy(update={"maxima": maxima, "measured_on": "holidays"})
    tag = store(tmp_path, all_versions(WEIGHTS, others), others)
    name_published(tag, tmp_path / "tag.txt")
    assert published_tag(tmp_path / "tag.txt") == tag


def test_versions_that_do_not_belong_to_the_ranges_beside_them_are_to_be_built_again(tmp_path):
    maxima = {layer: 2 * largest for layer, largest in RANGES.maxima.items()}
    others = RANGES.model_copy(update={"maxima": maxima})
    name_published(store(tmp_path, VERSIONS, others), tmp_path / "tag.txt")
    assert published_tag(tmp_path / "tag.txt") is None


def test_every_descriptor_is_there_in_every_precision():
    assert [(version.name, version.precision) for version in VERSIONS] == [
        (name, precision) for precision in PRECISIONS for name in DESCRIPTORS
    ]
    for version in VERSIONS:
        expected = RANGES.digest if version.precision in QUANTISED else None
        assert (version.quantisation.digest if version.quantisation else None) == expected


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
