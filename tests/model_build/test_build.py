import shutil

import numpy as np
import pytest

from bento_service.errors import NotReady
from bento_service.vision.engine import GOLDEN_FILE
from bento_service.vision.golden import GoldenVectors
from model_build import build as steps
from model_build.convert import Comparison
from model_build.errors import ConversionWrong
from model_build.store import stored_folder

TAG = "vgg16:0123456789abcdef"


@pytest.fixture(autouse=True)
def no_costly_steps(monkeypatch, weights, tmp_path):
    monkeypatch.setenv("BENTOML_HOME", str(tmp_path / "home"))
    agreed = Comparison(mean_cosine=1.0, min_cosine=1.0, photographs=8)
    monkeypatch.setattr(steps, "find_weights", lambda wanted, downloads: weights)
    monkeypatch.setattr(steps, "check", lambda *_, **__: agreed)


@pytest.fixture
def published(monkeypatch):
    """What was published, put into the store by a plain copy."""
    tags = []

    def publish(folder, version, comparison):
        shutil.copytree(folder, stored_folder(TAG))
        tags.append(TAG)
        return TAG

    monkeypatch.setattr(steps, "publish", publish)
    return tags


def test_the_tag_is_named_once_the_stored_model_has_proved_itself(published, tmp_path):
    tag = steps.build("wheel", tmp_path, tag_file=tmp_path / "tag.txt")
    assert (tmp_path / "tag.txt").read_text() == f"{tag}\n" == f"{TAG}\n"


def test_a_stored_model_that_is_wrong_is_not_named(monkeypatch, published, tmp_path):
    copied = steps.publish

    def publish_with_other_vectors(folder, version, comparison):
        tag = copied(folder, version, comparison)
        golden = GoldenVectors.load(folder / GOLDEN_FILE)
        exchanged = np.roll(golden.descriptors, 1, axis=0)
        GoldenVectors(golden.pictures, exchanged).save(stored_folder(tag) / GOLDEN_FILE)
        return tag

    monkeypatch.setattr(steps, "publish", publish_with_other_vectors)
    with pytest.raises(NotReady, match="golden vectors"):
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
