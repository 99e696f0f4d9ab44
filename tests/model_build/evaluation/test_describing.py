import numpy as np
import pytest

from bento_service.pictures.in_process import decode
from model_build.evaluation import describing
from model_build.evaluation.describers import Describer
from model_build.evaluation.describing import describe
from model_build.evaluation.protocol import Picture

COLUMNS = (10, 50, 90, 130, 170)


class Squashed:
    """Counts how often it decodes."""

    def __init__(self):
        self.calls = 0

    def __call__(self, content, region):
        self.calls += 1
        return decode(content, side=224, max_pixels=10**6, region=region).pixels


def red_share(images):
    """Return (N, 1), a number that differs between two-coloured pictures."""
    return images[..., 0].mean(axis=(1, 2), dtype=np.float32)[:, None] / 255


@pytest.fixture
def batches():
    return []


@pytest.fixture
def describer(batches):
    def described(images):
        batches.append(len(images))
        return {"red": red_share(images), "twice": np.repeat(red_share(images), 2, axis=1)}

    return Describer(names=("red", "twice"), origin="test", prepare=Squashed(), describe=described)


@pytest.fixture
def pictures(tmp_path, two_colours):
    return [Picture(two_colours(tmp_path / f"{columns}.png", columns)) for columns in COLUMNS]


def test_rows_are_in_the_order_of_the_pictures(pictures, describer):
    described = describe(pictures, [describer])
    expected = np.array(COLUMNS, np.float32)[:, None] / 224
    np.testing.assert_allclose(described.descriptors["red"], expected, atol=1e-6)
    assert described.descriptors["twice"].shape == (5, 2)
    assert described.unreadable == {}


def test_pictures_come_in_batches_and_one_run_gives_all_descriptors(
    pictures, describer, batches, monkeypatch
):
    monkeypatch.setattr(describing, "BATCH", 2)
    describe(pictures, [describer])
    assert batches == [2, 2, 1]


def test_describers_that_want_the_same_pixels_share_the_decoding(pictures, describer):
    other = Describer(
        ("blue",), "test", describer.prepare, lambda images: {"blue": images[:, 0, 0]}
    )
    apart = Describer(("own",), "test", Squashed(), lambda images: {"own": images[:, 0, 0]})
    described = describe(pictures, [describer, other, apart])
    assert describer.prepare.calls == 5
    assert apart.prepare.calls == 5
    assert set(described.descriptors) == {"red", "twice", "blue", "own"}


def test_only_the_region_is_described(tmp_path, two_colours, describer):
    file = two_colours(tmp_path / "a.png", 100)
    parts = [Picture(file, region=(0, 0, 100, 224)), Picture(file, region=(100, 0, 100, 224))]
    np.testing.assert_array_equal(describe(parts, [describer]).descriptors["red"], [[1], [0]])


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"", "the file is empty"), (b"hello", "not a picture"), (b"\x89PNG\r\n\x1a\n", "damaged")],
)
def test_unreadable_pictures_are_noted_and_do_not_stop_the_others(
    pictures, describer, content, reason, monkeypatch
):
    monkeypatch.setattr(describing, "BATCH", 2)
    pictures[1].path.write_bytes(content)
    described = describe(pictures, [describer])
    assert list(described.unreadable) == [1]
    assert reason in described.unreadable[1]
    expected = np.array([10, 0, 90, 130, 170], np.float32)[:, None] / 224
    np.testing.assert_allclose(described.descriptors["red"], expected, atol=1e-6)


def test_a_file_that_is_not_there_is_noted(pictures, describer):
    pictures[4].path.unlink()
    assert "No such file" in describe(pictures, [describer]).unreadable[4]


def test_copies_of_an_unreadable_file_are_unreadable_and_not_tried(pictures, describer):
    pictures[0].path.write_bytes(b"broken")

    def changed(content):
        raise AssertionError("nobody can edit this")

    copy = Picture(pictures[0].path, changed=changed)
    described = describe([*pictures, copy], [describer])
    assert set(described.unreadable) == {0, 5}
    assert described.unreadable[0] == described.unreadable[5]


def test_there_are_no_descriptors_if_nothing_can_be_read(pictures, describer, batches):
    for picture in pictures:
        picture.path.write_bytes(b"broken")
    described = describe(pictures, [describer])
    assert len(described.unreadable) == 5
    assert described.descriptors == {}
    assert batches == []
