"""Every public method of the client's classes, called over a service that refuses everything.

The methods and their parameters are found by `inspect`, so a new method is called without being
listed here.
"""

import asyncio
import contextlib
import inspect
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest

import client_sdk
from client_sdk import (
    AsyncClient,
    AsyncCollectionHandle,
    AsyncHit,
    AsyncJobHandle,
    Client,
    CollectionHandle,
    Hit,
    JobHandle,
    LookalikeError,
)
from tests.support.answers import HIT, JOB

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
USUAL = {"timeout", "interval", "all", "path", "model"}  # optional, but needed for a right call


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
