"""The synchronous and the asynchronous client have the same public surface."""

import inspect
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from client_sdk import (
    AsyncClient,
    AsyncCollectionHandle,
    AsyncJobHandle,
    Client,
    CollectionHandle,
    JobHandle,
)
from client_sdk.schemas import Job

PROJECT = Path(__file__).parents[2]
PAIRS = [
    (Client, AsyncClient),
    (JobHandle, AsyncJobHandle),
    (CollectionHandle, AsyncCollectionHandle),
]


def public(kind):
    """Return the public methods of a class, without those of pydantic."""
    inherited = set() if kind in (Client, AsyncClient) else set(dir(Job))
    return [
        (name, value)
        for name, value in inspect.getmembers(kind, callable)
        if name[0] != "_" and name not in inherited
    ]


def surface(kind):
    """Return every method with its parameters and annotations, as if nothing were awaited."""

    def synchronous(text):
        return str(text).replace("Async", "").replace("_async", "_sync")

    return {
        name: [synchronous(part) for part in (signature.parameters, signature.return_annotation)]
        for name, value in public(kind)
        for signature in [inspect.signature(value, eval_str=True)]
    }


@pytest.mark.parametrize(("one", "other"), PAIRS)
def test_both_clients_have_the_same_methods_arguments_and_types(one, other):
    assert len(surface(one)) >= 4
    assert surface(one) == surface(other)


def test_both_clients_have_the_same_constructor():
    one, other = (inspect.signature(kind, eval_str=True) for kind in (Client, AsyncClient))
    assert str(one) == str(other).replace("Async", "").replace("_async", "_sync")


@pytest.mark.parametrize("kind", [kind for pair in PAIRS for kind in pair])
def test_every_method_is_described(kind):
    assert [name for name, value in public(kind) if not value.__doc__] == []


def generator(*arguments):
    command = [sys.executable, ".ci/generate_sync.py", *map(str, arguments)]
    return subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=120)


def test_the_synchronous_half_is_what_the_generator_writes():
    assert generator("--check").stderr == ""


def test_a_change_by_hand_in_the_synchronous_half_is_found(tmp_path):
    shutil.copytree(PROJECT / "client_sdk" / "_sync", tmp_path / "_sync")
    with (tmp_path / "_sync" / "jobs.py").open("a") as file:
        file.write("# mine\n")
    (tmp_path / "_sync" / "more.py").touch()
    (tmp_path / "_sync" / "local.py").unlink()
    ran = generator("--check", tmp_path / "_sync")
    assert ran.returncode == 1
    assert "jobs.py, local.py, more.py differ; run `make sync`" in ran.stderr


def test_the_client_has_at_most_21_methods():
    own = {name for name, _ in public(Client)} - {"local", "close"}
    assert len(own) <= 21, sorted(own)
