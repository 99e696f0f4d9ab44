"""Imports of pymilvus and Milvus Lite, each time in another process."""

import importlib.util
import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).parents[2]
LEFT_OUT = ("pandas", "scipy", "faiss")


def _printed(code: str, *arguments: str) -> list[str]:
    answer = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr
    return answer.stdout.split()


USES_AN_INDEX = """
import sys
import numpy as np
from bento_service.gallery.milvus_gallery import MilvusGallery

with MilvusGallery(sys.argv[1]) as gallery:
    for name in ("kept", "dropped"):
        gallery.open(name, 2)
    gallery.upsert("kept", [1, 2, 3], list(np.eye(2, dtype=np.float32)[[0, 1, 1]]))
    gallery.make_visible("kept")
    gallery.delete("kept", [3])
    gallery.flush("kept")
    gallery.drop("dropped")
    assert gallery.ids("kept") == {1, 2} and gallery.names() == ["kept"]
    (found,) = gallery.search("kept", np.float32([0, 1]), top_k=1)
    assert found.image_id == 2
print(*(name.partition(".")[0] for name in sys.modules))
print(open("/proc/self/maps").read())
"""


def test_no_call_of_the_gallery_imports_the_hidden_packages(tmp_path):
    loaded = _printed(USES_AN_INDEX, str(tmp_path / "milvus.db"))

    assert all(importlib.util.find_spec(name) for name in LEFT_OUT)
    assert {"pymilvus", "milvus_lite", "pyarrow"} <= set(loaded)
    assert not set(LEFT_OUT) & set(loaded)
    assert [word for word in loaded if any(f"/{name}" in word for name in LEFT_OUT)] == []


def test_hidden_packages_can_be_imported_afterwards():
    code = """
from bento_service.gallery.milvus import load_lite
load_lite()
import faiss, pandas, pandas.api.types, scipy.sparse
print(pandas.DataFrame({"a": [1, 2]}).a.sum(), pandas.api.types.is_float(1.5), faiss.__name__)
"""
    assert _printed(code) == ["3", "True", "faiss"]


def test_a_call_that_needs_a_function_of_pandas_imports_it():
    code = """
import sys
import bento_service.gallery.milvus
from pymilvus.orm.types import infer_dtype_bydata
print("pandas" in sys.modules, infer_dtype_bydata([1.5, 2.5]).name, "pandas" in sys.modules)
"""
    assert _printed(code) == ["False", "FLOAT_VECTOR", "True"]


def test_the_stand_in_for_a_class_of_pandas_has_no_instances():
    code = """
import bento_service.gallery.milvus
from pymilvus.orm.schema import pd
print(isinstance([], pd.DataFrame))
try:
    pd.DataFrame({"id": [1]})
except TypeError as error:
    print(error)
"""
    assert _printed(code)[:2] == ["False", "pandas.DataFrame"]


def test_pymilvus_uses_pandas_if_it_was_imported_before():
    code = """
import pandas
import bento_service.gallery.milvus
import pymilvus.orm.schema
print(pymilvus.orm.schema.pd is pandas)
"""
    assert _printed(code) == ["True"]
