"""Request bodies for the OpenAPI document, of the calls that take more than one form."""

from typing import Any

from pydantic import BaseModel

from client_sdk.schemas import (
    DEFAULT_COLLECTION,
    FILTER_LANGUAGE,
    DeleteRequest,
    SearchOptions,
    SearchRequest,
    TrainRequest,
)

_FILE = {"type": "string", "format": "binary"}
_COLLECTION = {"type": "string", "default": DEFAULT_COLLECTION}
_FILTER = {"type": "string", "description": FILTER_LANGUAGE}
_METADATA = {"type": "string", "description": "a JSON object"}
_ONLY = "with a manifest"


def documented(call: str) -> dict[str, Any]:
    """The `requestBody` of a call, to be merged into its operation."""
    return {"requestBody": {"required": call != "count", "content": _CONTENTS[call]}}


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
    "count": {
        "application/json": {
            "schema": {
                "type": "object",
                "properties": {"collection": _COLLECTION, "filter": _FILTER},
            }
        }
    },
}
