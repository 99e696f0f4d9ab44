"""The synchronous and the asynchronous surface are one surface."""

import inspect

import pytest

from client_sdk import AsyncClient, AsyncJobHandle, Client, JobHandle
from client_sdk.schemas import Job

PAIRS = [(Client, AsyncClient), (JobHandle, AsyncJobHandle)]


def public(kind):
    """Its methods, but not those of pydantic."""
    inherited = set() if kind in (Client, AsyncClient) else set(dir(Job))
    return [
        (name, value)
        for name, value in inspect.getmembers(kind, callable)
        if name[0] != "_" and name not in inherited
    ]


def surface(kind):
    """Every method with its parameters and annotations, as if nothing were awaited."""

    def synchronous(text):
        return str(text).replace("Async", "")

    return {
        name: [synchronous(part) for part in (signature.parameters, signature.return_annotation)]
        for name, value in public(kind)
        for signature in [inspect.signature(value, eval_str=True)]
    }


@pytest.mark.parametrize(("one", "other"), PAIRS)
def test_both_have_the_same_methods_arguments_and_types(one, other):
    assert len(surface(one)) >= 6
    assert surface(one) == surface(other)


def test_both_clients_are_made_from_the_same_arguments():
    one, other = (inspect.signature(kind, eval_str=True) for kind in (Client, AsyncClient))
    assert str(one) == str(other).replace("Async", "")


@pytest.mark.parametrize("kind", [kind for pair in PAIRS for kind in pair])
def test_every_method_is_described(kind):
    assert [name for name, value in public(kind) if not value.__doc__] == []
