"""Additions to FastAPI's OpenAPI document: bodies of several content types, and failures."""

from typing import Any

from pydantic import BaseModel

from client_sdk.schemas import DEFAULT_COLLECTION, Problem

FILE = {"type": "string", "format": "binary"}
COLLECTION = {"type": "string", "default": DEFAULT_COLLECTION}
_FRAMEWORK_SCHEMAS = ("HTTPValidationError", "ValidationError")
LINE_ROUTES = ("/api/v1/", "/data/")
"""Prefixes of the paths whose failures are one line of text, as in version 1."""


def body_of(*contents: dict[str, Any], required: bool = True) -> dict[str, Any]:
    """Return the `openapi_extra` of a route that reads its body itself."""
    merged = {kind: schema for content in contents for kind, schema in content.items()}
    return {"requestBody": {"required": required, "content": merged}}


def json_content(model: type[BaseModel]) -> dict[str, Any]:
    """Return the content of a JSON body."""
    return {"application/json": {"schema": model.model_json_schema()}}


def form_content(required: str | None = None, **properties: Any) -> dict[str, Any]:
    """Return the content of a form with these fields, at most one of them required."""
    schema = {"type": "object", "properties": properties}
    if required is not None:
        schema["required"] = [required]
    return {"multipart/form-data": {"schema": schema}}


def with_failures(document: dict[str, Any]) -> dict[str, Any]:
    """Return the document with the form of failures added to every call."""
    paths = {
        path: {method: _with_failure(path, call) for method, call in calls.items()}
        for path, calls in document["paths"].items()
    }
    schemas = dict(document["components"]["schemas"])
    for name in _FRAMEWORK_SCHEMAS:  # never sent: our handlers answer instead
        schemas.pop(name, None)
    schemas[Problem.__name__] = Problem.model_json_schema()
    return {
        **document,
        "paths": paths,
        "components": {**document["components"], "schemas": schemas},
    }


def _with_failure(path: str, call: dict[str, Any]) -> dict[str, Any]:
    content: dict[str, Any] = {
        "application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}
    }
    if path.startswith(LINE_ROUTES):
        content = {"text/plain": {"schema": {"type": "string"}}}
    responses = {status: one for status, one in call["responses"].items() if status != "422"}
    failed = {"description": "Any failure; `code` says which", "content": content}
    return {**call, "responses": {**responses, "default": failed}}
