"""SECURITY.md names tests; a row whose test has gone would be a promise that nobody keeps."""

import re
from pathlib import Path

PROJECT = Path(__file__).parents[2]
NAMED = re.compile(r"`(tests/[\w/]+\.py)(?:::(\w+))?`")


def test_every_row_of_the_threat_table_names_tests_that_are_there():
    text = (PROJECT / "SECURITY.md").read_text()
    rows = [line for line in text.splitlines() if line.startswith("| ")][1:]
    assert len(rows) > 10
    for row in rows:
        named = NAMED.findall(row)
        assert named, row
        for file, test in named:
            there = (PROJECT / file).read_text()
            assert not test or re.search(
                rf"^(async )?def {test}\(|^    def {test}\(", there, re.M
            ), test
