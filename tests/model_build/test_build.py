import shutil

import numpy as np
import pytest

from bento_service.descriptors.golden import GOLDEN_FILE, GoldenVectors, save_golden
from bento_service.descriptors.version import read_versions
from bento_service.errors import NotReady
from model_build import build as steps
from model_build.activation_ranges import RANGES_FILE, ActivationRanges
from model_build.errors import CalibrationFailed, ConversionWrong
from model_build.store import stored_folder

TAG = "vgg16:0123456789abcdef"


@pytest.fixture(autouse=True)
def no_costly_steps(monkeypatch, weights, tmp_path):
    monkeypatch.setenv("BENTOML_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(steps, "find_weights", lambda wanted, downloads: weights)
    monkeypatch.setattr(steps, "check", lambda *_, **__: ())
    # One descriptor in one precision is proved here, all of them by the whole build elsewhere.
    monkeypatch.setattr(steps, "NETWORK_FILES", {"int8": steps.NETWORK_FILES["int8"]})
    monkeypatch.setattr(steps, "DESCRIPTORS", ("vgg16-rgem",))


@pytest.fixture
def published(monkeypatch):
    """Return the published model's folder, copied into the store."""
    tags = []

    def publish(folder, versions, agreements):
        shutil.copytree(folder, stored_folder(TAG))
        tags.append(TAG)
        return TAG

    monkeypatch.setattr(steps, "publish", publish)
    return tags


def test_the_tag_is_named_once_the_stored_model_has_proved_itself(published, tmp_path):
    tag = steps.build("wheel", tmp_path, tag_file=tmp_path / "tag.txt")
    assert (tmp_path / "tag.txt").read_text() == f"{tag}\n" == f"{TAG}\n"


def test_a_stored_model_that_is_wrong_in_one_descriptor_is_not_named(
    monkeypatch, published, tmp_path
):
    copied = steps.publish

    def publish_with_other_vectors(folder, versions, agreements):
        tag = copied(folder, versions, agreements)
        golden = [GoldenVectors.load(folder / GOLDEN_FILE, version) for version in versions]
        exchanged = [
            GoldenVectors(each.version, each.pictures, np.roll(each.descriptors, 1, axis=0))
            if (each.version.name, each.version.precision) == ("vgg16-rgem", "int8")
            else each
            for each in golden
        ]
        save_golden(exchanged, stored_folder(tag) / GOLDEN_FILE)
        return tag

    monkeypatch.setattr(steps, "publish", publish_with_other_vectors)
    with pytest.raises(NotReady, match=r"vgg16-rgem in int8 .* golden vectors"):
        steps.build("wheel", tmp_path, tag_file=tmp_path / "tag.txt")
    assert not (tmp_path / "tag.txt").exists()


def test_a_wrong_conversion_is_not_published(monkeypatch, published, tmp_path):
    def check(*_, **__):
        raise ConversionWrong("it computes something else")

    monkeypatch.setattr(steps, "check", check)
    with pytest.raises(ConversionWrong):
        steps.build("wheel", tmp_path, tag_file=tmp_path / "tag.txt")
    assert published == []
    assert not (tmp_path / "tag.txt").exists()


def test_ranges_that_are_measured_again_make_other_versions_in_int8(
    monkeypatch, published, tmp_path
):
    committed = ActivationRanges.committed()
    maxima = {layer: 1.5 * largest for layer, largest in committed.maxima.items()}
    measured = committed.model_copy(update={"maxima": maxima, "measured_on": "holidays"})
    asked = []

    def measure(weights, version, folder):
        asked.append(folder)
        return measured

    monkeypatch.setattr(steps, "measure_ranges", measure)
    steps.build("wheel", tmp_path, calibrate=tmp_path / "holidays", tag_file=tmp_path / "tag.txt")
    assert asked == [tmp_path / "holidays"]
    stored = stored_folder(TAG)
    content = (stored / RANGES_FILE).read_bytes()
    assert ActivationRanges.model_validate_json(content) == measured
    digests = {v.quantisation.digest for v in read_versions(stored) if v.precision == "int8"}
    assert digests == {measured.digest}
    assert measured.digest != committed.digest


def test_a_calibration_that_fails_builds_nothing(monkeypatch, published, tmp_path):
    def measure(*_):
        raise CalibrationFailed("there are too few photographs")

    monkeypatch.setattr(steps, "measure_ranges", measure)
    with pytest.raises(CalibrationFailed):
        steps.build("wheel", tmp_path, calibrate=tmp_path, tag_file=tmp_path / "tag.txt")
    assert published == []
