import inspect
import subprocess
import sys
from importlib.resources import files

import pydantic

import client_sdk
from client_sdk import errors, schemas
from client_sdk.schemas import compare as compare_schemas

INSIDE = {
    "Count",
    "Deleted",
    "Known",
    "Problem",
}
"""Answers that a method unwraps, so that no caller holds one."""


def public_classes(module):
    return {
        name: value
        for name, value in vars(module).items()
        if isinstance(value, type) and value.__module__ == module.__name__ and name[0] != "_"
    }


def test_every_error_is_exported():
    assert set(public_classes(errors)) <= set(client_sdk.__all__)


def test_every_model_that_a_caller_receives_is_exported():
    models = {
        name
        for module in (schemas, compare_schemas)
        for name, kind in public_classes(module).items()
        if issubclass(kind, pydantic.BaseModel) and kind.model_config["extra"] == "ignore"
    }
    assert models - INSIDE <= set(client_sdk.__all__)


def test_everything_that_is_exported_is_there_once():
    assert len(client_sdk.__all__) == len(set(client_sdk.__all__))
    assert [name for name in client_sdk.__all__ if not hasattr(client_sdk, name)] == []


def test_nothing_is_public_without_being_exported():
    modules = {name.split(".")[1] for name in sys.modules if name.startswith("client_sdk.")}
    public = {name for name in vars(client_sdk) if name[0] != "_"} - modules
    assert public == set(client_sdk.__all__) - {"__version__"}


def test_importing_the_client_loads_nothing_heavy():
    heavy = ["numpy", "PIL", "bentoml", "pymilvus", "torch", "bento_service", "model_build"]
    script = f"import sys, client_sdk; print([m for m in {heavy} if m in sys.modules])"
    ran = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True
    )
    assert ran.stdout == "[]\n"


def test_the_client_is_marked_as_typed():
    assert (files(client_sdk) / "py.typed").is_file()


def test_results_are_documented_with_the_fields_of_their_wire_models():
    for kind in (client_sdk.Hit, client_sdk.SearchResponse, client_sdk.AsyncDuplicateGroup):
        wire = next(one for one in kind.__mro__ if one.__module__.startswith("client_sdk.schemas"))
        assert "Attributes:" in (inspect.getdoc(kind) or "")
        assert inspect.getdoc(kind) == inspect.getdoc(wire)
