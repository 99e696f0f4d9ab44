"""Every public callable of the client raises nothing but a `LookalikeError`, whatever it is given.

The callables and their parameters are found by `inspect`, so a new method is walked without being
listed here.
"""

import asyncio
import contextlib
import inspect
import io
import threading
import types
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image

import client_sdk
from client_sdk import (
    AsyncClient,
    AsyncCollectionHandle,
    AsyncHit,
    AsyncJobHandle,
    Client,
    CollectionHandle,
    FileUnreadable,
    Hit,
    JobHandle,
    LookalikeError,
    Retries,
    UsageError,
)
from tests.support.answers import HIT, JOB


class Awkward:
    """An object whose every use fails."""

    def __repr__(self):
        raise RuntimeError("no repr")

    def __fspath__(self):
        raise RuntimeError("no path")

    def __index__(self):
        raise RuntimeError("no index")

    def __iter__(self):
        raise RuntimeError("no items")


class BytesPath:
    def __fspath__(self):
        return b"cat.jpg"


class BrokenFile(io.RawIOBase):
    def readable(self):
        return True

    def read(self, size=-1):
        raise KeyError("broken")


class TextFile:
    def read(self, size=-1):
        return "text"


def closed_file():
    file = io.BytesIO(b"x")
    file.close()
    return file


def closed_picture():
    picture = Image.new("RGB", (2, 2))
    picture.close()
    return picture


WRONG = {
    "none": lambda: None,
    "true": lambda: True,
    "number": lambda: 5,
    "negative": lambda: -1,
    "huge": lambda: 10**400,
    "real": lambda: 1.5,
    "nan": lambda: float("nan"),
    "infinite": lambda: float("inf"),
    "complex": lambda: 1j,
    "text": lambda: "text",
    "empty text": lambda: "",
    "nul": lambda: "a\0b",
    "surrogate": lambda: "\ud800",
    "dots": lambda: "..",
    "long": lambda: "x" * 5000,
    "bytes": lambda: b"bytes",
    "list": lambda: [1, "a", None],
    "empty list": list,
    "nested": lambda: [[[]]],
    "mapping": lambda: {"a": object()},
    "numbered mapping": lambda: {1: 2},
    "unsent mapping": lambda: {"\ud800": float("nan")},
    "object": object,
    "class": lambda: int,
    "function": lambda: len,
    "awkward": Awkward,
    "bytes path": BytesPath,
    "missing file": lambda: Path("/nowhere/cat.jpg"),
    "folder": lambda: Path("/"),
    "closed file": closed_file,
    "broken file": BrokenFile,
    "file of text": TextFile,
    "text file": lambda: io.StringIO("x"),
    "pair": lambda: ("name",),
    "wrong pair": lambda: (b"name", "content"),
    "array": lambda: np.zeros((2, 2)),
    "image without pixels": lambda: Image.new("RGB", (0, 0)),
    "closed image": closed_picture,
}

PLAIN = {
    "image": b"x",
    "images": [b"x"],
    "a": b"x",
    "b": b"x",
    "path": "photos",
    "job": "j1",
    "manifest": b"x",
    "folder": ".",
    "name": "hats",
    "image_id": 7,
    "ids": [7],
    "metadata": {},
    "model": Path("/nowhere/model"),
    "timeout": 0.01,
    "interval": 0.001,
    "all": True,
}


def answer(request):
    """A body that none of the calls expects, so that an accepted argument is an error, too."""
    return httpx.Response(500, json={"detail": "refused"})


CLIENTS = [Client, AsyncClient]
COLLECTIONS = [CollectionHandle, AsyncCollectionHandle]
KINDS = [*CLIENTS, *COLLECTIONS, JobHandle, AsyncJobHandle, Hit, AsyncHit]


def _callables():
    """Yield every public method of the client's classes, with its class."""
    for kind in KINDS:
        for name, member in inspect.getmembers(kind, inspect.isroutine):
            if not name.startswith(("_", "model_")) and (member.__module__ or "").startswith(
                "client_sdk"
            ):
                yield pytest.param(kind, name, id=f"{kind.__name__}.{name}")


USUAL = {"timeout", "interval", "all", "path", "model"}  # optional, but needed for a right call
CALLABLES = list(_callables())


def parameters(kind, name):
    return inspect.signature(getattr(kind, name)).parameters.keys() - {"self"}


@contextlib.contextmanager
def target(kind, transport=None):
    """Yield an object of a class, over a service that refuses everything."""
    asynchronous = kind.__name__.startswith("Async")
    client = (AsyncClient if asynchronous else Client)(
        transport=transport or httpx.MockTransport(answer), timeout=1
    )
    if kind in CLIENTS:
        yield client
    elif kind in COLLECTIONS:
        yield client.collection("hats")
    else:
        fields = JOB if issubclass(kind, client_sdk.Job) else HIT
        yield kind.model_validate(fields, context=client._connection)
    if asynchronous:
        asyncio.run(client.close())
    else:
        client.close()


def drained(value):
    """Run a call to its end, whatever it returns."""

    async def to_its_end():
        if isinstance(value, AsyncIterator):
            return [item async for item in value]
        return await value

    if inspect.isawaitable(value) or isinstance(value, AsyncIterator):
        return asyncio.run(to_its_end())
    return list(value) if isinstance(value, Iterator) else value


def fails_by_our_own_error(call):
    caught = None
    try:
        drained(call())
    except LookalikeError as error:
        caught = error
    assert caught is None or str(caught)
    return caught


def sent(kind, name, /, **changes):
    """Return the arguments of a call that would be right, with changes."""
    signature = inspect.signature(getattr(kind, name))
    needed = {
        one.name: PLAIN[one.name]
        for one in signature.parameters.values()
        if one.name in PLAIN and (one.default is one.empty or one.name in USUAL)
    }
    return {**needed, **changes}


@pytest.mark.parametrize(("kind", "name"), CALLABLES)
def test_every_wrong_argument_raises_a_client_error(kind, name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for parameter in parameters(kind, name):
        for wrong in WRONG.values():
            if parameter == "model" and wrong() is None:
                continue  # opens a service
            with target(kind) as it:
                given = sent(kind, name, **{parameter: wrong()})
                fails_by_our_own_error(lambda: getattr(it, name)(**given))  # noqa: B023


@pytest.mark.parametrize(("kind", "name"), CALLABLES)
def test_an_unknown_option_and_a_missing_argument_are_named(kind, name):
    with target(kind) as it:
        error = fails_by_our_own_error(lambda: getattr(it, name)(no_such_option=1))
        assert isinstance(error, UsageError)
        assert f"{name}() has no option 'no_such_option'" in str(error)
        too_many = fails_by_our_own_error(lambda: getattr(it, name)(*range(20)))
        assert isinstance(too_many, UsageError)


@pytest.mark.parametrize(("kind", "name"), CALLABLES)
def test_every_method_of_a_closed_client_raises_a_client_error(kind, name, tmp_path, monkeypatch):
    if name in ("local", "close", "with_options", "collection"):
        return
    monkeypatch.chdir(tmp_path)
    with target(kind) as it:
        connection = it._connection
        if kind.__name__.startswith("Async"):
            asyncio.run(connection.close())
        else:
            connection.close()
        error = fails_by_our_own_error(lambda: getattr(it, name)(**sent(kind, name)))
        assert isinstance(error, LookalikeError), name
        assert "closed" in str(error)


@pytest.mark.parametrize(("kind", "name"), CALLABLES)
def test_a_client_may_be_used_in_another_thread_and_loop(kind, name, tmp_path, monkeypatch):
    if name in ("local", "close"):
        return
    monkeypatch.chdir(tmp_path)
    caught = []

    def run():
        try:
            fails_by_our_own_error(lambda: getattr(it, name)(**sent(kind, name)))
        except BaseException as error:  # noqa: BLE001 - given to the test
            caught.append(error)

    with target(kind) as it:
        run()
        thread = threading.Thread(target=run)
        thread.start()
        thread.join(60)
    assert caught == []


@pytest.mark.parametrize("kind", [Client, AsyncClient, Retries])
def test_every_wrong_argument_of_a_constructor_raises_a_client_error(kind):
    for parameter in inspect.signature(kind).parameters:
        for wrong in WRONG.values():
            fails_by_our_own_error(lambda: kind(**{parameter: wrong()}) and None)  # noqa: B023
    with pytest.raises(UsageError, match="has no option 'colour'"):
        kind(colour=1)


def test_the_check_notices_other_errors():
    def bare():
        raise TypeError("bare")

    with pytest.raises(TypeError):
        fails_by_our_own_error(bare)
    assert len(CALLABLES) > 60
    assert not any(isinstance(one, types.ModuleType) for one in KINDS)


@pytest.mark.parametrize("path", ["gone.jpg", ".", "a" * 300])
@pytest.mark.parametrize("method", ["search", "upload", "compare", "upload_manifest"])
def test_a_file_that_cannot_be_read_is_named(method, path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with target(Client) as client, pytest.raises(UsageError) as caught:
        getattr(client, method)(*[path] * (2 if method == "compare" else 1))
    assert path[:50] in str(caught.value)
    if path != ".":
        assert isinstance(caught.value, FileUnreadable)
        assert isinstance(caught.value, OSError)
        assert caught.value.errno
