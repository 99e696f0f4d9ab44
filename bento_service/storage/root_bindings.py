"""Binding of image roots: one name for one folder, for as long as the catalogue lasts.

Sources and jobs refer to a root by its name. So a folder at another path is another root, however
its last component is called, unless the operator says that it was moved (`name=/new/path`). Roots
that hold files of images are remembered, and can be read when they are not configured any more.
"""

import logging
import os
import re
from collections.abc import Container, Iterable, Sequence
from itertools import chain, count
from pathlib import Path

from bento_service.catalogue import Catalogue
from bento_service.catalogue.records import KnownFile, RootRecord
from bento_service.errors import LookalikeError
from bento_service.settings import ImageRoot, folder_name
from bento_service.settings.root_list import ConfiguredRoot, escaped
from bento_service.storage.digests import stream_digest
from bento_service.storage.image_roots import ImageRoots

_SAMPLE = 16
_LONGEST_NAME = 240
_log = logging.getLogger(__name__)


def bound_roots(catalogue: Catalogue, configured: Iterable[ConfiguredRoot]) -> ImageRoots:
    """Bind the configured roots, and return them with the remembered ones; what is odd is logged.

    Args:
        catalogue: Which remembers the roots.
        configured: What the operator says now.
    """
    known = catalogue.roots.all()
    binding = _Binding(catalogue, known, configured)
    catalogue.roots.bind(binding.records)
    roots = binding.roots()
    for message in binding.messages:
        _log.warning("%s", message)
    for record in known:
        if reason := roots.unavailable(record.name):
            _log.warning("%s; until then its pictures are not shown", reason)
    return roots


def planned_roots(catalogue: Catalogue, configured: Iterable[ConfiguredRoot]) -> ImageRoots:
    """Return the roots as `bound_roots` would, and change nothing."""
    return _Binding(catalogue, catalogue.roots.all(), configured).roots()


class _Binding:
    """Decides which folder belongs to which name."""

    def __init__(
        self,
        catalogue: Catalogue,
        known: Sequence[RootRecord],
        configured: Iterable[ConfiguredRoot],
    ) -> None:
        self._catalogue = catalogue
        self._bound = {record.name: record for record in known}
        self._configured: list[str] = []
        self.messages: list[str] = []
        # What the operator names goes first, so that an unnamed folder finds its name.
        given = list(configured)
        names = {
            position: self._bind(given[position])
            for position in sorted(range(len(given)), key=lambda at: given[at].name is None)
        }
        for position in range(len(given)):
            if names[position] not in self._configured:
                self._configured.append(names[position])

    @property
    def records(self) -> list[RootRecord]:
        """All roots, bound."""
        return list(self._bound.values())

    def roots(self) -> ImageRoots:
        """Return the configured roots, and the others whose folders are known."""
        others = [name for name in self._bound if name not in self._configured]
        return ImageRoots(
            [root for name in self._configured if (root := _image_root(self._bound[name]))],
            [root for name in others if (root := _image_root(self._bound[name]))],
        )

    def _bind(self, root: ConfiguredRoot) -> str:
        folder, spelled = root.path.resolve(), root.path.absolute()
        name = root.name or self._name_of(folder)
        for other in self._bound.values():
            if other.path == str(folder) and other.name != name:
                self._bound[other.name] = RootRecord(other.name, None)
                self.messages.append(
                    f"the folder of image root {other.name!r} is {name!r} from now on; pictures "
                    f"that only {other.name!r} holds are shown again once they are indexed again"
                )
        before = self._bound.get(name)
        if before and before.path != str(folder) and not self._is_same(name, folder):
            self.messages.append(
                f"image root {name!r} is at a folder that does not have its files; if that is a "
                "mistake, correct LOOKALIKE_IMAGE_ROOTS before anything is pruned"
            )
        written = None if spelled == folder else str(spelled)
        self._bound[name] = RootRecord(name, str(folder), written)
        return name

    def _name_of(self, folder: Path) -> str:
        for record in self._bound.values():
            if record.path == str(folder):
                return record.name
        own = folder_name(folder)[:_LONGEST_NAME]
        for record in self._bound.values():
            is_candidate = record.path is None and _is_numbered(record.name, own)
            if is_candidate and self._is_same(record.name, folder):
                return record.name
        name = _free_name(own, self._bound)
        if name != own:
            self.messages.append(
                f"image root {name!r} is new, since {own!r} is another folder of that name. If "
                f"that one was moved here, start once with "
                f"LOOKALIKE_IMAGE_ROOTS='{escaped(own)}=/its/folder'"
            )
        return name

    def _is_same(self, name: str, folder: Path) -> bool:
        """Whether a folder holds the files of a root whose folder is not known."""
        sample = self._catalogue.roots.sample(name, limit=_SAMPLE)
        there = ImageRoots([ImageRoot(name, folder)])
        return 2 * sum(_is_there(there, name, file) for file in sample) >= len(sample)


def _free_name(own: str, taken: Container[str]) -> str:
    """Return a name for a root: that of its folder, numbered where it is taken."""
    numbered = chain([own], (f"{own}-{number}" for number in count(2)))
    return next(name for name in numbered if name not in taken)


def _is_numbered(name: str, own: str) -> bool:
    """Whether `_free_name` may have made a name of a folder's own."""
    return re.fullmatch(rf"{re.escape(own)}(-\d+)?", name) is not None


def _image_root(record: RootRecord) -> ImageRoot | None:
    if record.path is None:
        return None
    spelled = None if record.spelled is None else Path(record.spelled)
    return ImageRoot(record.name, Path(record.path), spelled)


def _is_there(roots: ImageRoots, name: str, file: KnownFile) -> bool:
    """Whether a file is as it was: by its size and time, else by its bytes."""
    try:
        with roots.opened(name, file.path) as stream:
            stat = os.fstat(stream.fileno())
            if stat.st_size != file.bytes:
                return False
            if stat.st_mtime_ns == file.mtime_ns:
                return True
            return stream_digest(stream) == file.sha256
    except (LookalikeError, OSError):
        return False
