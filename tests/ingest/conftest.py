"""Fixtures of ingest."""

import pytest

from tests.support.ingesting import Ingest


@pytest.fixture
def ingest(tmp_path):
    made = Ingest(tmp_path)
    with made.catalogue:
        yield made
