import pytest

from bento_service.gallery.index_types import (
    MAX_FLAT,
    MAX_IN_MEMORY,
    MAX_LITE,
    IndexRule,
    IndexType,
)

FLAT, HNSW, IVF_SQ8, DISKANN = IndexType


@pytest.mark.parametrize(
    ("images", "kind"),
    [(0, FLAT), (MAX_FLAT, FLAT), (MAX_FLAT + 1, HNSW), (10 * MAX_IN_MEMORY, IVF_SQ8)],
)
def test_a_server_gets_the_index_type_that_fits_the_size(images, kind):
    assert IndexRule("auto", embedded=False).wanted(FLAT, images) is kind


@pytest.mark.parametrize("images", [0, 10**7])
def test_a_setting_is_obeyed_at_every_size(images):
    assert IndexRule("diskann", embedded=False).wanted(FLAT, images) is DISKANN
    assert IndexRule("flat", embedded=False).wanted(HNSW, images) is FLAT


def test_a_collection_that_shrinks_a_little_keeps_its_index():
    rule = IndexRule("auto", embedded=False)
    assert rule.wanted(HNSW, MAX_FLAT - 1) is HNSW
    assert rule.wanted(HNSW, MAX_FLAT // 2) is FLAT
    assert rule.wanted(FLAT, MAX_FLAT + 1) is HNSW


def test_lite_is_exact_at_every_size_and_says_when_it_is_too_small():
    rule = IndexRule("auto", embedded=True)
    assert rule.wanted(FLAT, 10**7) is FLAT
    assert not rule.is_overgrown(MAX_LITE)
    assert rule.is_overgrown(MAX_LITE + 1)
    assert not IndexRule("auto", embedded=False).is_overgrown(10**9)


def test_a_search_examines_at_least_as_many_candidates_as_it_returns():
    assert HNSW.search_params(1024, None)["ef"] == 1024
    assert HNSW.search_params(10, 500)["ef"] == 500
    assert DISKANN.search_params(1024, None)["search_list"] == 1024
