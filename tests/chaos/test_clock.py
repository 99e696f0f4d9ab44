"""The clock that the service reads is set forwards and backwards."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

from client_sdk import Client
from tests.chaos import faults


def test_the_clock_that_the_service_reads_can_be_set(new_campaign):
    campaign = new_campaign(seed=3)
    campaign.reins.set_clock(86_400)
    try:
        with Client(campaign.service.url) as client:
            made = client.create_collection(f"tomorrow-{uuid4().hex[:8]}").created_at
    finally:
        campaign.reins.set_clock(0)

    assert abs(made - datetime.now(UTC) - timedelta(days=1)) < timedelta(hours=1)


def test_nothing_is_lost_when_the_clock_jumps(new_campaign):
    campaign = new_campaign(seed=4)

    faults.clock_steps(campaign)

    assert campaign.tally.details == []
