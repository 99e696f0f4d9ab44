"""pymilvus and Milvus Lite without the libraries that they import and this service does not need.

pymilvus imports pandas for rows that are data frames, and scipy for sparse ones; pyarrow imports
pandas to convert its arrays, and Milvus Lite imports faiss for approximate indexes. This service
uses none of that. If a call needs a function of pandas after all, the stand-in imports pandas then.
pymilvus is pinned, and a test checks which modules a real server has imported.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from types import ModuleType
from typing import Any

from grpc import RpcError

from bento_service.gallery.hiding import Hiding, load_pyarrow

__all__ = ["DataType", "MilvusClient", "MilvusException", "load_lite", "without_retries"]


@contextmanager
def _pandas_stood_in_for() -> Iterator[None]:
    """Let imports find stand-ins for pandas, unless pandas is imported already."""
    if "pandas" in sys.modules:
        yield
        return
    pandas, api, types = map(ModuleType, ("pandas", "pandas.api", "pandas.api.types"))
    vars(pandas).update(api=api, __getattr__=_class_without_instances)
    vars(types).update(__getattr__=_loading_when_called)
    stand_ins = {module.__name__: module for module in (pandas, api, types)}
    sys.modules.update(stand_ins)
    try:
        yield
    finally:
        for name in stand_ins:
            del sys.modules[name]


def _class_without_instances(name: str) -> type:
    """Return a class for annotations and `isinstance`."""

    def refuse(*_: object) -> None:
        raise TypeError(f"pandas.{name} stands for a class that was not loaded")

    return type(name, (), {"__new__": refuse})


def _loading_when_called(name: str) -> Callable[..., Any]:
    def call(*arguments: Any, **options: Any) -> Any:
        return getattr(import_module("pandas.api.types"), name)(*arguments, **options)

    return call


with _pandas_stood_in_for():
    from pymilvus import DataType, MilvusClient
    from pymilvus.client.utils import SciPyHelper
    from pymilvus.exceptions import MilvusException

SciPyHelper._checked = True  # so that it does not import scipy


def without_retries(client: MilvusClient) -> None:
    """Let every call of a client end with its first answer or failure.

    Otherwise pymilvus retries a call until its time limit, and reconnects under a lock that blocks
    all other calls. It calls this handler first.
    """

    def give_up(error: Exception) -> bool:
        if isinstance(error, RpcError):
            raise error
        return False

    client._handler._on_rpc_error = give_up


def load_lite() -> None:
    """Import Milvus Lite, before the first client of a folder; repeated calls do no harm.

    Without faiss it refuses every approximate index.
    """
    with Hiding("pandas", "faiss"):
        import milvus_lite  # noqa: F401
    load_pyarrow()
    from bento_service.gallery.lite_segments import take_rows_in_arrow

    take_rows_in_arrow()
