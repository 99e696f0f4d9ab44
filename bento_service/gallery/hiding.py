"""Imports of libraries without those that they would import and this service does not need."""

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder


class Hiding(MetaPathFinder):
    """A finder that hides installed packages within a `with` block."""

    def __init__(self, *names: str) -> None:
        self._names = names

    def find_spec(self, fullname: str, _: Sequence[str] | None, __: object = None) -> None:
        """Raise for hidden packages; leave the others to the next finders."""
        if fullname in self._names:
            raise ModuleNotFoundError(f"{fullname} is hidden", name=fullname)

    def __enter__(self) -> None:
        sys.meta_path.insert(0, self)

    def __exit__(self, *_: object) -> None:
        sys.meta_path.remove(self)


def load_pyarrow() -> None:
    """Import pyarrow without pandas, which it tries to import with its first array, only once."""
    with Hiding("pandas"):
        import pyarrow as pa

        pa.array([0])
