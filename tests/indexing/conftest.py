"""Fixtures of indexing."""

import pytest

from tests.indexing.replaying import SPACE


@pytest.fixture
def cats(catalogue):
    return catalogue.collections.create("cats", SPACE)
