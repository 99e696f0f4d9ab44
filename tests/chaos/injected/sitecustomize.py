"""Lets a service die at a named moment, look at its index, or be spoilt; the campaign's only hook.

Python imports this when a process starts with this folder on its PYTHONPATH. It wraps functions as
the modules that hold them are imported, so the product needs to know nothing of it. Everything is
ordered through files in the folder `CHAOS_DIR`:

    points.json   the crash points: name, module, function, when
    armed         the point to die at, and how many times to pass it before
    hit           made by the process that dies there, once
    look, seen    a question what the catalogue and the index hold, and its answer
    spoilt        which sabotage to do, to see whether the campaign notices
    clock         by how many seconds the service's clock is wrong
"""

import functools
import json
import os
import signal
import sys
import threading
import time
from datetime import datetime, timedelta
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import PathFinder
from pathlib import Path

_LOOK_SECONDS = 0.02
_STRIKE_SECONDS = 0.004
_PRODUCT = "bento_service."
_REPLAY = f"{_PRODUCT}indexing.replay"
_WRITER = f"{_PRODUCT}indexing.index_writer"


class Orders:
    """The campaign's orders, read from its folder."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.points = json.loads((self.folder / "points.json").read_text())
        self.strike_after = _STRIKE_SECONDS
        self.clock = clock(self)
        self._passed = {}

    def is_armed(self, name):
        """Return true if the process is to die at this point."""
        try:
            armed = json.loads((self.folder / "armed").read_text())
        except (FileNotFoundError, json.JSONDecodeError):
            return False
        if armed["point"] != name or (self.folder / "hit").exists():
            return False
        self._passed[name] = self._passed.get(name, 0) + 1
        return self._passed[name] > armed["skip"]

    def die(self):
        """Say so, and be gone."""
        try:
            os.close(os.open(self.folder / "hit", os.O_WRONLY | os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            return
        os.kill(os.getpid(), signal.SIGKILL)

    def spoilt(self):
        """Return the name of the sabotage, empty where there is none."""
        path = self.folder / "spoilt"
        return path.read_text() if path.exists() else ""

    def wrong_by(self):
        """Return the error of the clock."""
        try:
            return timedelta(seconds=float((self.folder / "clock").read_text()))
        except (FileNotFoundError, ValueError):
            return timedelta()


class _LikeDatetime(type):
    def __instancecheck__(cls, value):
        return isinstance(value, datetime)


def clock(orders):
    """Return the replacement of `datetime` for the product's modules, their only clock."""

    class Wrong(datetime, metaclass=_LikeDatetime):
        @classmethod
        def now(cls, tz=None):
            return datetime.now(tz) + orders.wrong_by()

    return Wrong


def dying(orders, name, when, function):
    """A function that ends the process before it begins, in its middle, or when it has ended."""

    @functools.wraps(function)
    def wrapped(*arguments, **options):
        armed = orders.is_armed(name)
        if armed and when == "during":
            return _interrupted(orders, function, arguments, options)
        if armed and when == "before":
            orders.die()
        result = function(*arguments, **options)
        if armed and when == "after":
            orders.die()
        return result

    return wrapped


def _interrupted(orders, function, arguments, options):
    """Call, and die while it runs; sooner at the next call where it was faster."""
    ended = threading.Event()

    def strike():
        if not ended.wait(orders.strike_after):
            orders.die()

    threading.Thread(target=strike, daemon=True).start()
    try:
        return function(*arguments, **options)
    finally:
        ended.set()
        orders.strike_after /= 2


def spoilt(orders, name, right, wrong):
    """A function that does something else while the campaign orders it."""

    @functools.wraps(right)
    def wrapped(*arguments, **options):
        return (wrong if orders.spoilt() == name else right)(*arguments, **options)

    return wrapped


def observed(orders, enter):
    """Replay's start, which also begins to answer what both sides hold."""

    @functools.wraps(enter)
    def wrapped(replay):
        threading.Thread(target=_answer, args=(orders, replay), daemon=True).start()
        return enter(replay)

    return wrapped


def _answer(orders, replay):
    look, part = orders.folder / "look", orders.folder / f"seen.{os.getpid()}.part"
    while True:
        time.sleep(_LOOK_SECONDS)
        if not look.exists():
            continue
        try:
            indexes = replay._catalogue.indexes.all()
            answer = {"indexes": [_side_by_side(replay, index) for index in indexes]}
        except Exception as error:  # noqa: BLE001 - asked again
            answer = {"error": f"{type(error).__name__}: {error}"}
        look.unlink(missing_ok=True)
        part.write_text(json.dumps(answer))
        part.rename(orders.folder / "seen")


def _side_by_side(replay, index):
    is_open = replay.is_open(index)
    return {
        "name": index.name,
        "collection": index.collection,
        "behind": index.revision - index.applied,
        "open": is_open,
        "living": sorted(replay._catalogue.changes.living_ids(index.id, up_to=2**62)),
        "held": sorted(replay._gallery.ids(index.name)) if is_open else [],
    }


SABOTAGES = {
    "replay off": (_WRITER, "IndexWriter._apply", lambda *_: False),
    "the cursor moves without rows": (
        "bento_service.indexing.change_steps",
        "apply_changes",
        lambda *_: 0,
    ),
    "the index deletes nothing": (
        "bento_service.gallery.milvus_gallery",
        "MilvusGallery.delete",
        lambda *_: None,
    ),
    "deletions leave no tombstones": (
        "bento_service.catalogue.images.images",
        "mark_deleted_where",
        lambda *_: 1,
    ),
}


def _owner(module, function):
    *path, name = function.split(".")
    for part in path:
        module = getattr(module, part)
    return module, name


def change(orders, module):
    """Wrap what a module holds of the points; a missing function is an error at once."""
    for name, (where, function, instead) in SABOTAGES.items():
        if where == module.__name__:
            owner, attribute = _owner(module, function)
            right = getattr(owner, attribute)
            setattr(owner, attribute, spoilt(orders, name, right, instead))
    for point in orders.points:
        if point["module"] == module.__name__:
            owner, name = _owner(module, point["function"])
            setattr(owner, name, dying(orders, point["name"], point["when"], getattr(owner, name)))
    if vars(module).get("datetime") is datetime:
        module.datetime = orders.clock
    if module.__name__ == _REPLAY:
        module.Replay.__enter__ = observed(orders, module.Replay.__enter__)


class Changing(Loader):
    """Loads as another loader does, then changes the module."""

    def __init__(self, orders, loader):
        self._orders = orders
        self._loader = loader

    def create_module(self, spec):
        return self._loader.create_module(spec)

    def exec_module(self, module):
        self._loader.exec_module(module)
        change(self._orders, module)

    def __getattr__(self, name):
        return getattr(self._loader, name)


class Hook(MetaPathFinder):
    """Finds the modules that are changed."""

    def __init__(self, orders):
        self._orders = orders

    def find_spec(self, fullname, path, target=None):
        if not fullname.startswith(_PRODUCT):
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None:
            spec.loader = Changing(self._orders, spec.loader)
        return spec


if "CHAOS_DIR" in os.environ:
    sys.meta_path.insert(0, Hook(Orders(os.environ["CHAOS_DIR"])))
