"""Milvus Lite's files damaged between two starts: the index is built again from the catalogue."""

import pytest

from tests.chaos import faults


@pytest.fixture(scope="module")
def campaign(new_campaign):
    made = new_campaign(seed=2)
    made.kill_under_load()
    return made


@pytest.mark.parametrize(
    ("kind", "how"),
    [
        ("data.idx", "corrupt"),
        ("data.parquet", "truncated"),
        ("manifest.json", "corrupt"),
        ("schema.json", "deleted"),
        ("wal.arrow", "truncated"),
        ("everything", "deleted"),
    ],
)
def test_damaged_files_are_rebuilt(campaign, kind, how):
    faults.damaged(campaign, kind, how)

    assert campaign.tally.details == []
    if kind != "wal.arrow":  # the log may hold nothing that was not in the rows as well
        assert campaign.tally.healed[f"Milvus Lite, {kind} {how}"] == 1
