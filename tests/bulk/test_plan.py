"""The plan of a bulk run."""

import hashlib

import pytest

from bento_service.bulk.plan import RunFolder


@pytest.mark.parametrize("at_once", [1, 7, 1000])
def test_equal_bytes_are_one_candidate_however_many_rows_are_sorted_at_once(tmp_path, at_once):
    (tmp_path / "plan").mkdir()
    run = RunFolder(tmp_path)
    digests = [hashlib.sha256(bytes([n])).hexdigest() for n in range(40)] + ["0" * 64, "f" * 64]
    for number in range(3):
        run.write_digests(number, [(digest, f"{number}/{digest}") for digest in digests])
    run.write_digests(3, [])
    parts = run.write_parts(4, size=10, at_once=at_once)
    candidates = [list(run.candidates(part)) for part in range(parts)]
    assert [len(part) for part in candidates] == [10, 10, 10, 10, 2]
    assert [(each.sha256, each.paths) for part in candidates for each in part] == [
        (digest, tuple(f"{number}/{digest}" for number in range(3))) for digest in sorted(digests)
    ]
