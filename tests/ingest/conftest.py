"""Fixtures of ingest."""

import pytest

from bento_service.ingest.worker import waiting as patience
from bento_service.ingest.worker import worker as worker_module
from tests.support.ingesting import Ingest


@pytest.fixture
def ingest(tmp_path):
    made = Ingest(tmp_path)
    with made.catalogue:
        yield made


@pytest.fixture(autouse=True)
def _impatient(monkeypatch):
    monkeypatch.setattr(patience, "_RETRY_SECONDS", 0.05)
    monkeypatch.setattr(worker_module, "_LOOK_AGAIN_SECONDS", 0.05)
