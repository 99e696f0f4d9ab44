"""pymilvus and Milvus Lite without the libraries that they load and this service does not use.

pymilvus loads pandas because rows may be data frames, and scipy because they may be sparse; pyarrow
loads pandas because arrays may be made of it, and Milvus Lite faiss for indexes that are not exact.
None of that is asked for here. Should a call need one of pandas' functions after all, what stands
in for it loads pandas then. pymilvus is pinned, and a test looks at what a real server has loaded.
"""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from importlib.abc import MetaPathFinder
from types import ModuleType
from typing import Any

from grpc import RpcError

__all__ = ["DataType", "MilvusClient", "MilvusException", "load_lite", "without_retries"]


@contextmanager
def _pandas_stood_in_for() -> Iterator[None]:
    """Let imports find stand-ins for pandas, unless it is there already."""
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
    """A class for annotations and `isinstance`."""

    def refuse(*_: object) -> None:
        raise TypeError(f"pandas.{name} stands for a class that was not loaded")

    return type(name, (), {"__new__": refuse})


def _loading_when_called(name: str) -> Callable[..., Any]:
    def call(*arguments: Any, **options: Any) -> Any:
        return getattr(import_module("pandas.api.types"), name)(*arguments, **options)

    return call


class _Hiding(MetaPathFinder):
    """Finds that some packages are not installed."""

    def __init__(self, *names: str) -> None:
        self._names = names

    def find_spec(self, fullname: str, _: Sequence[str] | None, __: object = None) -> None:
        """Refuse the hidden, leave the others to the finders that follow."""
        if fullname in self._names:
            raise ModuleNotFoundError(f"{fullname} is hidden", name=fullname)

    def __enter__(self) -> None:
        sys.meta_path.insert(0, self)

    def __exit__(self, *_: object) -> None:
        sys.meta_path.remove(self)


with _pandas_stood_in_for():
    from pymilvus import DataType, MilvusClient
    from pymilvus.client.utils import SciPyHelper
    from pymilvus.exceptions import MilvusException

SciPyHelper._checked = True  # so that it does not look whether there is scipy


def without_retries(client: MilvusClient) -> None:
    """Let every call of a client end with the first answer or failure.

    pymilvus tries a call again until its time limit is over, and meanwhile connects anew under a
    lock that all other calls then wait for. It asks this function first.
    """

    def give_up(error: Exception) -> bool:
        if isinstance(error, RpcError):
            raise error
        return False

    client._handler._on_rpc_error = give_up


def load_lite() -> None:
    """Load Milvus Lite, before the first client of a folder; a second time does nothing.

    Without faiss it refuses every index that is not exact.
    """
    with _Hiding("pandas", "faiss"):
        import milvus_lite  # noqa: F401
        import pyarrow as pa

        pa.array([0])  # with its first array it looks for pandas, once and for all
