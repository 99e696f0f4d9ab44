"""The campaign notices a service that is wrong: each sabotage is found as what it does."""

import pytest

from tests.chaos import looking
from tests.chaos.ledger import Fault


@pytest.fixture(autouse=True)
def _impatient(monkeypatch):
    monkeypatch.setattr(looking, "_APPLIED_SECONDS", 8.0)


@pytest.fixture(autouse=True)
def _right_again(reins):
    yield
    reins.spoil("")


@pytest.mark.parametrize(
    ("sabotage", "fault"),
    [
        ("replay off", Fault.UNFINISHED),
        ("the cursor moves without rows", Fault.DIFFERENT),
        ("the index deletes nothing", Fault.DIFFERENT),
        ("deletions leave no tombstones", Fault.GHOST),
    ],
)
def test_a_spoilt_service_is_found_out(new_campaign, reins, sabotage, fault):
    campaign = new_campaign(seed=7)
    reins.spoil(sabotage)

    with campaign.callers() as (caller, *_):
        caller.do("upload")
        campaign.look("uploaded")
        assert caller.ledger.ids()
        caller.do("delete")
    campaign.look("deleted")
    campaign.service.kill()
    campaign.launch()
    campaign.look("killed")
    campaign.service.kill()

    assert campaign.tally.faults[fault.value] > 0
