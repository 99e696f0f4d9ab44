"""A short form of the campaign; `python -m tests.replicas` is the long one."""

import random

from tests.chaos.crash_points import POINTS
from tests.chaos.tally import Tally
from tests.replicas.campaign import Campaign

STEPS = (None, None, "after the catalogue's commit")


def test_work_that_a_killed_replica_acknowledged_is_done_by_the_other(new_pair, reins):
    pair = new_pair(describe_seconds=0.01)
    seeded = random.Random(3)  # noqa: S311 - chaos, no secret
    campaign = Campaign(pair, reins, Tally("replicas"), seeded)
    named = {point.name: point for point in POINTS}
    for name in STEPS:
        campaign.step(None if name is None else named[name])
        assert campaign.tally.details == [], pair.log()
    assert campaign.tally.kills["of one of two replicas"] == len(STEPS)
