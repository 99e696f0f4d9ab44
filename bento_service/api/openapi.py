"""What the OpenAPI document says beyond the routes' types: bodies of several forms, failures."""

from typing import Any

from pydantic import BaseModel

from client_sdk.schemas import (
    DEFAULT_COLLECTION,
    FILTER_LANGUAGE,
    DeleteRequest,
    Problem,
    SearchOptions,
    SearchRequest,
    TrainRequest,
)
from client_sdk.schemas.compare import CompareRequest, DuplicatesRequest

_FILE = {"type": "string", "format": "binary"}
_ID = {"type": "integer", "description": "of a stored image, instead of the picture"}
_COLLECTION = {"type": "string", "default": DEFAULT_COLLECTION}
_FILTER = {"type": "string", "description": FILTER_LANGUAGE}
_METADATA = {"type": "string", "description": "a JSON object"}
_ONLY = "with a manifest"
_FRAMEWORK_SCHEMAS = ("HTTPValidationError", "ValidationError")
_WITHOUT_BODY = ("count", "duplicates")
LINE_ROUTES = ("/api/v1/", "/data/")
"""Beginnings of the paths whose failures are one line of text, as version 1's were."""


def documented(call: str) -> dict[str, Any]:
    """The `requestBody` of a call, to be merged into its operation."""
    return {"requestBody": {"required": call not in _WITHOUT_BODY, "content": _CONTENTS[call]}}


def with_failures(document: dict[str, Any]) -> dict[str, Any]:
    """A document whose every call says in what form it fails."""
    paths = {
        path: {method: _with_failure(path, call) for method, call in calls.items()}
        for path, calls in document["paths"].items()
    }
    schemas = dict(document["components"]["schemas"])
    for name in _FRAMEWORK_SCHEMAS:  # in a form that nobody gets
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


def _json(model: type[BaseModel]) -> dict[str, Any]:
    return {"application/json": {"schema": model.model_json_schema()}}


def _form(required: str | None, **properties: Any) -> dict[str, Any]:
    schema = {"type": "object", "properties": properties}
    if required is not None:
        schema["required"] = [required]
    return {"multipart/form-data": {"schema": schema}}


def _search_fields() -> dict[str, Any]:
    fields: dict[str, Any] = SearchOptions.model_json_schema()["properties"]
    return {**fields, "region": {"type": "string", "description": "x,y,width,height"}}


_CONTENTS: dict[str, dict[str, Any]] = {
    "train": _json(TrainRequest)
    | _form(
        None,
        files={"type": "array", "items": _FILE, "description": "pictures, zip and tar archives"},
        collection=_COLLECTION,
        metadata=_METADATA,
        manifest={**_FILE, "description": "instead of `files`: NDJSON or CSV"},
        **{
            name: {**TrainRequest.model_json_schema()["properties"][name], "description": _ONLY}
            for name in ("path", "root", "dry_run", "verify_bytes")
        },
    ),
    "search": _form("file", file=_FILE, **_search_fields()) | _json(SearchRequest),
    "delete": _json(DeleteRequest),
    "compare": _form(None, a=_FILE, b=_FILE, a_id=_ID, b_id=_ID, collection=_COLLECTION)
    | _json(CompareRequest),
    "duplicates": _json(DuplicatesRequest),
    "count": {
        "application/json": {
            "schema": {
                "type": "object",
                "properties": {
                    "collection": {**_COLLECTION, "type": ["string", "null"]},
                    "filter": {**_FILTER, "type": ["string", "null"]},
                },
            }
        }
    },
}
