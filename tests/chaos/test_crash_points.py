"""A service that dies at every named point, and comes back with all that it acknowledged."""

import pytest

from tests.chaos import crash_points
from tests.chaos.crash_points import POINTS, CrashPoint


@pytest.fixture(scope="module")
def campaign(new_campaign):
    return new_campaign(seed=4)


@pytest.mark.parametrize("point", POINTS, ids=lambda point: point.name)
def test_nothing_is_lost_where_it_dies(campaign, point):
    before = list(campaign.tally.details)

    campaign.at(point)

    assert campaign.tally.hits[point.name] == 1, "it never came by there"
    assert campaign.tally.details == before


def test_a_renamed_function_is_noticed(monkeypatch):
    renamed = CrashPoint(
        "gone", "bento_service.indexing.replay", "Replay.no_such_thing", "after", "upload"
    )
    monkeypatch.setattr(crash_points, "POINTS", (renamed,))

    with pytest.raises(AttributeError, match="no_such_thing"):
        crash_points.check()
