import json
import shutil
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from PIL import Image
from pydantic import ValidationError

import model_build
from model_build.activation_ranges import ActivationRanges
from model_build.calibration import measure_ranges
from model_build.errors import CalibrationFailed
from model_build.weights import LAYERS

NAMES = ("astronaut.jpg", "coffee.jpg", "rocket.jpg")
INPUTS = (3, 64, 64, 128, 128, 256, 256, 256, 512, 512, 512, 512, 512)


@pytest.fixture(scope="module")
def folder(photographs, tmp_path_factory):
    """Return three photographs, one of them further down, among files that are none."""
    folder = tmp_path_factory.mktemp("holidays")
    (folder / "day two").mkdir()
    for name, place in zip(NAMES, (folder, folder, folder / "day two"), strict=True):
        shutil.copy(photographs / name, place)
    (folder / "notes.txt").write_text("a letter to a friend")
    (folder / "empty.jpg").touch()
    whole = (photographs / "chelsea.jpg").read_bytes()
    (folder / "broken off.jpg").write_bytes(whole[: len(whole) // 2])
    Image.new("1", (8_000, 7_000)).save(folder / "larger than the service takes.png")
    (folder / "points nowhere.jpg").symlink_to("gone.jpg")
    return folder


@pytest.fixture(scope="module")
def measured(folder, weights, exact_versions):
    return measure_ranges(weights, exact_versions[0], folder, fewest=3)


@pytest.fixture(scope="module")
def by_hand(photographs, weights):
    """Each layer's largest output and the means of its inputs, as the replaced system computes."""
    maxima, means = [], []
    for name in NAMES:
        with Image.open(photographs / name) as image:
            squashed = image.convert("RGB").resize((224, 224), Image.Resampling.BILINEAR)
        centred = np.asarray(squashed, np.float32) - np.float32([123.68, 116.779, 103.939])
        maps = torch.tensor(centred.transpose(2, 0, 1)[None].copy())
        largest, inputs = [], []
        for number, convolution in enumerate(weights.convolutions, start=1):
            inputs.append(maps.double().mean(dim=(0, 2, 3)).numpy())
            kernel, bias = torch.tensor(convolution.kernel), torch.tensor(convolution.bias)
            maps = F.relu(F.conv2d(maps, kernel, bias, padding=1))
            largest.append(float(maps.max()))
            if number in (2, 4, 7, 10):
                maps = F.max_pool2d(maps, 2)
        maxima.append(largest)
        means.append(inputs)
    return np.max(maxima, axis=0), [np.mean(inputs, axis=0) for inputs in zip(*means, strict=True)]


def test_the_maxima_are_the_largest_outputs_on_any_of_the_photographs(measured, by_hand):
    assert tuple(measured.maxima) == LAYERS
    np.testing.assert_allclose(list(measured.maxima.values()), by_hand[0], rtol=1e-4)


def test_the_means_are_those_of_the_inputs_over_all_photographs(measured, by_hand):
    assert tuple(measured.means) == LAYERS
    for found, expected in zip(measured.means.values(), by_hand[1], strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-3)


def test_a_file_that_is_no_photograph_is_skipped(measured):
    assert measured.photographs == 3


def test_the_folder_gives_its_name(measured, folder):
    assert measured.measured_on == folder.name


def test_too_few_photographs_are_refused_with_how_many_there_are(folder, weights, exact_versions):
    with pytest.raises(CalibrationFailed, match=r"3 readable photographs; .* at least 20"):
        measure_ranges(weights, exact_versions[0], folder)


def test_a_folder_that_is_not_there_is_refused(tmp_path, weights, exact_versions):
    with pytest.raises(CalibrationFailed, match="0 readable photographs"):
        measure_ranges(weights, exact_versions[0], tmp_path / "nowhere")


def test_the_committed_ranges_are_of_every_layer_and_each_of_its_inputs():
    ranges = ActivationRanges.committed()
    assert tuple(ranges.maxima) == tuple(ranges.means) == LAYERS
    assert all(largest > 0 for largest in ranges.maxima.values())
    assert tuple(len(means) for means in ranges.means.values()) == INPUTS
    assert ranges.photographs > 400


def test_the_committed_ranges_are_plausible_for_other_photographs(measured):
    """Hundreds of photographs reach at least about what three others do, in every layer."""
    for layer, largest in ActivationRanges.committed().maxima.items():
        assert 0.6 * measured.maxima[layer] < largest < 10 * measured.maxima[layer]


def test_the_committed_inputs_are_rectified_and_below_the_maxima_before_them():
    ranges = ActivationRanges.committed()
    for earlier, layer in pairwise(LAYERS):
        assert min(ranges.means[layer]) >= 0
        assert max(ranges.means[layer]) < ranges.maxima[earlier]
    assert max(map(abs, ranges.means[LAYERS[0]])) < 128  # bytes around their mean


def test_ranges_come_back_from_their_file_as_they_were(measured, tmp_path):
    measured.save(tmp_path / "a.json")
    measured.save(tmp_path / "b.json")
    content = (tmp_path / "a.json").read_bytes()
    assert ActivationRanges.model_validate_json(content) == measured
    assert (tmp_path / "b.json").read_bytes() == content


def test_the_committed_file_is_what_saving_writes(tmp_path):
    ActivationRanges.committed().save(tmp_path / "ranges.json")
    committed = Path(model_build.__file__).parent / "activation_ranges.json"
    assert committed.read_bytes() == (tmp_path / "ranges.json").read_bytes()


@pytest.mark.parametrize("what", ["maxima", "means"])
def test_the_digest_changes_with_whatever_the_network_is_made_of(measured, what):
    values = dict(getattr(measured, what))
    layer = LAYERS[6]
    one_more = (np.array(values[layer]) + 0.01).tolist()
    values[layer] = one_more if what == "maxima" else tuple(one_more)
    assert measured.model_copy(update={what: values}).digest != measured.digest


def test_the_digest_is_the_same_for_the_same_ranges_of_other_photographs(measured):
    others = measured.model_copy(update={"photographs": 9, "measured_on": "a wedding"})
    again = ActivationRanges.model_validate_json(others.model_dump_json())
    assert again.digest == measured.digest
    assert len(again.digest) == 64


def test_ranges_that_another_release_wrote_are_refused(measured):
    record = json.loads(measured.model_dump_json())
    del record["means"]
    with pytest.raises(ValidationError, match="means"):
        ActivationRanges.model_validate(record)
