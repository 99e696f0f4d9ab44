"""The whole service, killed at work, while it starts, and in one of its parts."""

import random

import pytest

from tests.chaos import faults
from tests.chaos.campaign import Campaign
from tests.chaos.crash_points import POINTS
from tests.chaos.reins import Reins
from tests.chaos.tally import Tally

(AFTER_UPSERT,) = [point for point in POINTS if point.name == "after an upsert"]


@pytest.fixture(scope="module")
def campaign(new_server, tmp_path_factory):
    reins = Reins(tmp_path_factory.mktemp("reins"))
    server = new_server(**reins.environment)
    made = Campaign(server, reins, Tally("lite"), random.Random(1))  # noqa: S311
    made.begin()
    yield made
    server.stop()


@pytest.mark.parametrize(
    "strike",
    [
        lambda campaign: campaign.at(AFTER_UPSERT),
        lambda campaign: campaign.kill_starting(),
        faults.service_killed,
    ],
    ids=["after an upsert", "while starting", "one process of it"],
)
def test_everything_acknowledged_is_there_afterwards(campaign, strike):
    strike(campaign)

    assert campaign.tally.details == []
