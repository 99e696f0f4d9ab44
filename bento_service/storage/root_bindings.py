"""Permanent bindings of image roots: one name for one folder, or one address in object storage.

Sources and jobs refer to a root by its name. So a folder at another path is another root, even with
the same last component, unless the operator says that it was moved (`name=/new/path`). Roots with
files of images are remembered, and can be read when they are no longer configured.
"""

import logging
import re
from collections.abc import Container, Iterable, Sequence
from itertools import chain, count
from shlex import quote

from bento_service.catalogue import Catalogue
from bento_service.catalogue.records import KnownFile, RootRecord
from bento_service.errors import LookalikeError
from bento_service.settings import AnyImageRoot, folder_name
from bento_service.settings.root_list import ConfiguredRoot, escaped, image_root
from bento_service.storage.blob_stores import missing_package
from bento_service.storage.digests import stream_digest
from bento_service.storage.image_roots import ImageRoots

_SAMPLE = 16
_LONGEST_NAME = 240
_log = logging.getLogger(__name__)


def bound_roots(catalogue: Catalogue, configured: Iterable[ConfiguredRoot]) -> ImageRoots:
    """Bind the configured roots, log problems, and return them with the remembered roots."""
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
    """Return the same roots as `bound_roots` without changing anything."""
    return _Binding(catalogue, catalogue.roots.all(), configured).roots()


class _Binding:
    """The assignment of folders to names."""

    def __init__(
        self,
        catalogue: Catalogue,
        known: Sequence[RootRecord],
        configured: Iterable[ConfiguredRoot],
    ) -> None:
        self._catalogue = catalogue
        self._bound = {record.name: record for record in known}
        self.messages: list[str] = []
        # Named roots are bound first, so that their names are not given to unnamed folders.
        numbered = list(enumerate(configured))
        unnamed_last = sorted(numbered, key=lambda pair: pair[1].name is None)
        names = {position: self._bind(root) for position, root in unnamed_last}
        self._configured = [*dict.fromkeys(names[position] for position, _ in numbered)]

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
        place = root.path if isinstance(root.path, str) else str(root.path.resolve())
        spelled = root.path if isinstance(root.path, str) else str(root.path.absolute())
        name = root.name or self._name_of(place)
        for other in self._bound.values():
            if other.path == place and other.name != name:
                self._bound[other.name] = RootRecord(other.name, None)
                self.messages.append(
                    f"the folder of image root {other.name!r} is {name!r} from now on; train it "
                    f"to show the pictures again that only {other.name!r} has"
                )
        before = self._bound.get(name)
        if before and before.path != place and not self._is_same(name, place):
            self.messages.append(
                f"image root {name!r} has a folder without its files; if that is a "
                "mistake, correct LOOKALIKE_IMAGE_ROOTS before anything is pruned"
            )
        self._bound[name] = RootRecord(name, place, None if spelled == place else spelled)
        return name

    def _name_of(self, place: str) -> str:
        for record in self._bound.values():
            if record.path == place:
                return record.name
        own = folder_name(place)[:_LONGEST_NAME]
        for record in self._bound.values():
            is_candidate = record.path is None and _is_numbered(record.name, own)
            if is_candidate and self._is_same(record.name, place):
                return record.name
        name = _free_name(own, self._bound)
        if name != own:
            self.messages.append(
                f"image root {name!r} is new, because {own!r} is another folder of that name. If "
                f"that folder was moved here, start once with "
                f"LOOKALIKE_IMAGE_ROOTS={quote(f'{escaped(own)}=/its/folder')}"
            )
        return name

    def _is_same(self, name: str, place: str) -> bool:
        """Return true if a place has at least half of a sample of a root's files."""
        sample = self._catalogue.roots.sample(name, limit=_SAMPLE)
        roots = ImageRoots([image_root(name, place)])
        return 2 * sum(_is_unchanged(roots, name, file) for file in sample) >= len(sample)


def _free_name(own: str, taken: Container[str]) -> str:
    """Return the name of a root's folder, with a number if the name is taken."""
    numbered = chain([own], (f"{own}-{number}" for number in count(2)))
    return next(name for name in numbered if name not in taken)


def _is_numbered(name: str, own: str) -> bool:
    """Return true if `_free_name` may have derived a name from a folder's name."""
    return re.fullmatch(rf"{re.escape(own)}(-\d+)?", name) is not None


def _image_root(record: RootRecord) -> AnyImageRoot | None:
    if record.path is None or missing_package(record.path) is not None:
        return None
    return image_root(record.name, record.path, record.spelled)


def _is_unchanged(roots: ImageRoots, name: str, file: KnownFile) -> bool:
    """Compare a file by its size and time, and by its bytes if only the time differs."""
    try:
        with roots.opened(name, file.path) as opened:
            if opened.stamp.size != file.stamp.size:
                return False
            is_same = opened.stamp.shows_changes and opened.stamp == file.stamp
            return is_same or stream_digest(opened.stream) == file.sha256
    except (LookalikeError, OSError):
        return False
