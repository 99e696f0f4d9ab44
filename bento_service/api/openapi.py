"""Additions to FastAPI's OpenAPI document: bodies of several content types, and failures."""

from typing import Any

from pydantic import BaseModel

from client_sdk.schemas import DEFAULT_COLLECTION, Problem

FILE = {"type": "string", "format": "binary"}
COLLECTION = {"type": "string", "default": DEFAULT_COLLECTION}
FAILURES: dict[int | str, dict[str, Any]] = {
    "default": {
        "description": "Any failure; `code` says which",
        "content": {
            "application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}
        },
    }
}
"""The `responses` of every route; FastAPI adds no answer of its own for invalid requests then."""


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


def with_problem(document: dict[str, Any]) -> dict[str, Any]:
    """Add the schema of problem documents, which no route names as its answer."""
    document["components"]["schemas"].setdefault("Problem", Problem.model_json_schema())
    return document
