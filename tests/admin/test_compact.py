"""`compact`, over a data folder of the real application."""

import shutil

import pytest

from bento_service.admin.answer import shown_bytes


def test_compact_frees_disk_space_and_loses_nothing(place):
    before = place.serving("state")
    place.sql("CREATE TABLE ballast (content BLOB)")
    place.sql("INSERT INTO ballast VALUES (zeroblob(3000000))")
    place.sql("DROP TABLE ballast")

    code, dry = place.admin("compact", "--dry-run")
    assert code == 0
    assert dry["free_in_catalogue"] >= 2_900_000
    code, record = place.admin("compact")

    assert code == 0
    assert record["won"]["catalogue"] >= 2_900_000
    assert record["won"]["catalogue"] == (
        record["before"]["catalogue"] - record["after"]["catalogue"]
    )
    assert place.serving("state") == before
    assert place.admin("verify", "--deep")[0] == 0


def test_compact_creates_no_index(place):
    shutil.rmtree(place.data / "milvus.db")

    assert place.admin("compact")[0] == 0
    assert not (place.data / "milvus.db").exists()


def test_the_text_shows_the_freed_bytes(place):
    code, out, _ = place.run("compact")

    assert code == 0
    assert out.startswith("catalogue: ")
    assert "index: " in out
    assert out.count(" freed") == 2


@pytest.mark.parametrize(
    ("size", "shown"),
    [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (-2048, "-2.0 KiB"), (2**42, "4.0 TiB")],
)
def test_sizes_are_shown_with_units(size, shown):
    assert shown_bytes(size) == shown
