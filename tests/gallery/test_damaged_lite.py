"""Files of Milvus Lite that are damaged."""

import shutil

import pytest

from bento_service.errors import IndexUnavailable
from bento_service.gallery.milvus_gallery import MilvusGallery
from tests.gallery.finding import DIMENSION, found_ids


def torn(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def emptied(path):
    path.write_bytes(b"")


def overwritten(path):
    path.write_bytes(b"\xa5" * path.stat().st_size)


@pytest.fixture
def damaged(written, tmp_path):
    """A copy of `written` in which every file of a kind was damaged; the opened gallery."""

    def damage(kind, how):
        folder = tmp_path / "milvus.db"
        shutil.copytree(written, folder)
        files = list(folder.rglob(kind))
        assert files
        for file in files:
            how(file)
        return MilvusGallery(str(folder))

    return damage


def test_an_undamaged_copy_holds_everything(damaged, unit_vectors):
    with damaged("*.idx", lambda path: None) as gallery:
        gallery.open("cats", DIMENSION)
        assert gallery.ids("cats") == set(range(61))
        assert found_ids(gallery, "cats", unit_vectors(61)[60], 1) == [60]


@pytest.mark.parametrize("how", [torn, emptied, overwritten])
def test_a_damaged_index_file_is_rebuilt_from_its_rows(how, damaged, unit_vectors):
    with damaged("*.idx", how) as gallery:
        gallery.open("cats", DIMENSION)
        assert gallery.ids("cats") == set(range(61))
        assert found_ids(gallery, "cats", unit_vectors(61)[40], 1) == [40]


@pytest.mark.parametrize("how", [torn, emptied])
def test_an_index_with_damaged_rows_starts_empty(how, damaged, unit_vectors):
    with damaged("*.parquet", how) as gallery:
        gallery.open("cats", DIMENSION)
        assert gallery.ids("cats") == set()
        gallery.upsert("cats", [1], unit_vectors(1))
        assert found_ids(gallery, "cats", unit_vectors(1)[0]) == [1]


def test_loading_repairs_nothing(damaged):
    with damaged("*.idx", torn) as gallery:
        with pytest.raises(IndexUnavailable):
            gallery.load("cats")
        with pytest.raises(IndexUnavailable):
            gallery.load("nowhere")
        assert gallery.names() == ["cats"]


def test_an_index_without_a_readable_schema_starts_empty(damaged, unit_vectors):
    with damaged("schema.json", torn) as gallery:
        gallery.open("cats", DIMENSION)
        gallery.upsert("cats", [1], unit_vectors(1))
        assert gallery.ids("cats") == {1}
