"""Errors of every public callable of the client: a `LookalikeError` for any wrong argument."""

import asyncio
import inspect
import threading
import types

import pytest

from client_sdk import AsyncClient, Client, FileUnreadable, LookalikeError, Retries, UsageError
from tests.client_sdk.public_calls import (
    CALLABLES,
    KINDS,
    fails_by_our_own_error,
    parameters,
    sent,
    target,
)
from tests.client_sdk.wrong_values import WRONG


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
