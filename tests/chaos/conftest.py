"""Campaigns against light services."""

import random
from collections.abc import Callable, Iterator

import pytest

from tests.chaos.campaign import Campaign
from tests.chaos.light import Forge, LightServer
from tests.chaos.reins import Reins
from tests.chaos.tally import Tally


@pytest.fixture(scope="module")
def new_campaign(
    reins: Reins, forge: Forge, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[..., Campaign]]:
    """Makes campaigns against light services, which are begun. One is under way at a time."""
    made: list[LightServer] = []

    def make(seed: int) -> Campaign:
        made.append(LightServer(tmp_path_factory.mktemp("chaos"), forge))
        rolled = random.Random(seed)  # noqa: S311 - chaos, no secret
        seconds = {"load_seconds": 1.0, "start_seconds": 0.5}
        campaign = Campaign(made[-1], reins, Tally("light"), rolled, **seconds)
        campaign.begin()
        return campaign

    yield make
    for service in made:
        service.kill()
