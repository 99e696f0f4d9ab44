"""The patch of Milvus Lite against the function that it replaces, in another process."""

import subprocess
import sys

from tests.support.models import PROJECT

COMPARES = """
import sys
import tracemalloc
import numpy as np
from milvus_lite.storage.memtable import MemTable
by_milvus = MemTable._build_data_table

from bento_service.gallery import connection
from bento_service.gallery.lite_segments import take_rows_in_arrow
from bento_service.gallery.milvus_gallery import MilvusGallery
take_rows_in_arrow()
by_us = MemTable._build_data_table
assert by_us is not by_milvus
connection.load_lite = lambda: None  # it would patch again

def measured(take, *arguments):
    tracemalloc.start()
    table = take(*arguments)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return table, peak

def both(written, rows):
    (table, ours), (theirs, lists) = (measured(take, written, rows) for take in (by_us, by_milvus))
    assert table.equals(theirs, check_metadata=True)
    print(table.num_rows, int(lists > 20 * ours))
    return table

MemTable._build_data_table = both
vectors = list(np.random.default_rng(0).standard_normal((6, 5000)).astype(np.float32))
with MilvusGallery(sys.argv[1]) as gallery:
    gallery.open("a", 5000)
    gallery.upsert("a", [1, 2, 3], vectors[:3])
    gallery.upsert("a", [4], vectors[3:4])
    gallery.upsert("a", [2, 5], vectors[4:])
    gallery.delete("a", [3])
    gallery.flush("a")
    gallery.upsert("a", [6], vectors[:1])
    gallery.flush("a")
    assert gallery.ids("a") == {1, 2, 4, 5, 6}
"""


def test_rows_are_taken_in_arrow_with_the_same_result_and_little_memory(tmp_path):
    ran = subprocess.run(
        [sys.executable, "-c", COMPARES, tmp_path / "milvus.db"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert ran.returncode == 0, ran.stderr
    assert ran.stdout == "4 1\n1 1\n"
