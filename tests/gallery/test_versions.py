import logging

import pytest

from bento_service.errors import IndexUnavailable
from bento_service.gallery.milvus_gallery import MilvusGallery
from bento_service.gallery.versions import check_version


@pytest.mark.parametrize("version", ["v2.3.0", "2.3.5-lite", "v2.4.23-gpu", "2.6.1", "v2.10.0"])
def test_a_server_of_2_3_or_later_is_accepted_without_a_warning(version, caplog):
    check_version(version)
    assert caplog.records == []


@pytest.mark.parametrize("version", ["v2.2.16", "1.1.1", "v0.10"])
def test_an_older_server_is_refused_with_the_version_that_is_needed(version):
    with pytest.raises(IndexUnavailable, match=rf"{version} is too old.* 2\.3 is the oldest"):
        check_version(version)


@pytest.mark.parametrize("version", ["", "master", "unknown-dev", "v3.0.0"])
def test_a_server_of_an_untested_version_is_accepted_with_a_warning(version, caplog):
    with caplog.at_level(logging.WARNING):
        check_version(version)
    (record,) = caplog.records
    assert version in record.getMessage()


def test_the_version_of_the_server_is_logged_on_connecting(milvus_server, caplog):
    with caplog.at_level(logging.INFO), MilvusGallery(milvus_server.uri) as gallery:
        gallery.names()
    assert "Milvus v2.3.5" in caplog.text or "Milvus 2.3.5" in caplog.text
