"""A part of the campaign that does not take long: `make hostile` runs the whole."""

import math

from tests.chaos.light import LightServer
from tests.hostile.attack import SLOWEST_SECONDS
from tests.hostile.campaign import Campaign
from tests.hostile.made import made
from tests.hostile.mutations import mutations

PATIENCE = 12 * SLOWEST_SECONDS
"""Seconds after which an answer counts as none: machines that run tests are busy."""


def test_hostile_input_is_refused_and_leaves_the_service_as_it_was(forge, tmp_path):
    service = LightServer(tmp_path, forge)
    service.launch()
    try:
        # Neither speed nor memory is judged here, so nothing waits for their measurement.
        campaign = Campaign(
            service, slowest=PATIENCE, slowed=math.inf, alone_seconds=0.5, settle_seconds=0.0
        )
        campaign.attack_during_searches("made for it", list(made()), rounds=1)
        campaign.attack("mutations", mutations(300, seed=1))
        campaign.end()
    finally:
        service.stop()
    assert campaign.tally.all_findings() == []
    assert len(campaign.tally.attacked) > 1
    assert campaign.tally.outcomes["made for it"].statuses.keys() >= {200, 413, 415, 422}
    assert campaign.tally.outcomes["mutations"].statuses.keys() >= {200, 422}
