"""Fixtures of the swap of an index."""

import pytest

from bento_service.catalogue import Catalogue
from bento_service.gallery.milvus_gallery import MilvusGallery
from tests.indexing.swap.swapping import IndexedCollection
from tests.support.catalogues import sqlite_catalogue


@pytest.fixture(scope="module")
def gallery(milvus_server):
    with MilvusGallery(milvus_server.uri) as opened:
        yield opened


@pytest.fixture
def make_indexed(tmp_path, gallery):
    made = []

    def make(vectors):
        catalogue = Catalogue.open(sqlite_catalogue(tmp_path / f"catalogue-{len(made)}.db"))
        made.append(IndexedCollection(catalogue, gallery, vectors))
        return made[-1]

    yield make
    for indexed in made:
        indexed.drop()
        indexed.catalogue.__exit__()
