"""The process from which light services are forked: one for all tests of a session."""

from collections.abc import Iterator

import pytest

from tests.chaos.light import Forge
from tests.chaos.reins import Reins


@pytest.fixture(scope="session")
def reins(tmp_path_factory: pytest.TempPathFactory) -> Reins:
    """Controls of the processes of all light services."""
    return Reins(tmp_path_factory.mktemp("reins"))


@pytest.fixture(scope="session")
def forge(reins: Reins) -> Iterator[Forge]:
    """Yield the process from which light services are forked."""
    with Forge(reins.environment) as started:
        yield started
