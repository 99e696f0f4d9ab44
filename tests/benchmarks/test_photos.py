import hashlib

import numpy as np
import pytest
from PIL import Image

from benchmarks import photos


def pictures(folder):
    return sorted(folder.rglob("*.jpg"), key=lambda path: path.name)


def sizes(folder):
    found = set()
    for path in pictures(folder):
        with Image.open(path) as picture:
            found.add(picture.size)
    return found


def digests(folder):
    return [hashlib.sha256(path.read_bytes()).hexdigest() for path in pictures(folder)]


@pytest.fixture
def source(tmp_path):
    """Return a folder with two photographs and a file that is none."""
    folder = tmp_path / "source"
    folder.mkdir()
    ramp = np.linspace(0, 255, 64 * 48 * 3).reshape(48, 64, 3).astype(np.uint8)
    Image.fromarray(ramp).save(folder / "ramp.png")
    Image.fromarray(ramp[::-1]).save(folder / "upside down.png")
    (folder / "letter.txt").write_text("a letter")
    return folder


@pytest.mark.parametrize("size", [(40, 30), (80, 60)], ids=["smaller", "larger"])
def test_every_picture_has_the_size_and_is_no_other_one(size, source, tmp_path):
    photos.make(source, tmp_path / "made", size=size, count=9, parts=2)
    assert sizes(tmp_path / "made") == {size}
    assert len(set(digests(tmp_path / "made"))) == 9


def test_parts_differ_by_one_picture_at_most(source, tmp_path):
    photos.make(source, tmp_path / "made", size=(8, 6), count=8, parts=3)
    parts = sorted((tmp_path / "made").iterdir())
    assert [len(list(part.iterdir())) for part in parts] == [3, 3, 2]


def test_the_same_number_is_the_same_picture(source, tmp_path):
    photos.make(source, tmp_path / "all", size=(80, 60), count=6)
    photos.make(source, tmp_path / "later", size=(80, 60), count=3, first=3)
    assert digests(tmp_path / "later") == digests(tmp_path / "all")[3:]


def test_enlarged_pictures_have_files_like_a_telephones(source, tmp_path):
    photos.make(source, tmp_path / "made", size=photos.LARGE, count=1)
    (picture,) = pictures(tmp_path / "made")
    assert 3_000_000 < picture.stat().st_size < 5_000_000


def test_a_folder_without_photographs_is_reported(tmp_path):
    (tmp_path / "letter.txt").write_text("a letter")
    with pytest.raises(photos.NoPhotographs, match="holds no photographs"):
        photos.make(tmp_path, tmp_path / "made", size=(8, 6), count=1)
