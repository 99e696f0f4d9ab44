"""Answers of the service as JSON, for tests that give them to a client."""

from typing import Any

LINES = {"duplicate": 0.95, "near_duplicate": 0.942, "hash_distance": 6}
COUNT = {"collection": "default", "count": 3}
SPACE = {"model": "vgg16:1", "descriptor": "vgg16-rmac4", "fingerprint": "ff"}
URLS = {"content_url": "/c", "thumbnail_url": "/t"}

JOB = {
    "id": "j1",
    "collection": "default",
    "state": "completed",
    "total": 4,
    "done": 4,
    "indexed": 2,
    "duplicates": 1,
    "failed": 1,
}
JOB_ERROR = {"source": "bad\x1b[2J.jpg", "code": "image_unreadable", "detail": "truncated"}
HIT = {
    "rank": 1,
    "image_id": 7,
    "score": 0.91234,
    "distance": 0.4,
    "verdict": "similar",
    "name": "cat.jpg",
    "source": "photos/cat.jpg",
    "width": 4,
    "height": 3,
    **URLS,
}
IMAGE = {
    "id": 7,
    "collection": "default",
    "name": "cat.jpg",
    "source": "photos/cat.jpg",
    "sha256": "00",
    "format": "JPEG",
    "width": 4,
    "height": 3,
    "bytes": 99,
    "created_at": "2026-01-01T00:00:00Z",
    **URLS,
}
COLLECTION = {
    "name": "hats",
    "count": 0,
    "dimension": 512,
    "precision": "fp32",
    **SPACE,
    "lag": 0,
    "created_at": "2026-01-01T00:00:00Z",
}
INFO = {
    "version": "0.1.0",
    **SPACE,
    "dimension": 512,
    "engine": "onnx",
    "precision": "fp32",
    "index_type": "FLAT",
    "image_roots": ["photos", "cards"],
    "limits": {
        "max_upload_bytes": 1,
        "max_request_bytes": 1,
        "max_pixels": 1,
        "max_jpeg_pixels": 1,
        "max_top_k": 1000,
        "formats": ["JPEG"],
    },
}
COMPARISON = {
    "collection": "default",
    **SPACE,
    "score": 0.944,
    "distance": 0.335,
    "verdict": "near_duplicate",
    "evidence": {
        "same_bytes": False,
        "hash_distance": 2,
        "orientation": "mirrored",
        "lines": LINES,
        "reasons": ["pHash 2/64, mirrored"],
    },
}


def found(*hits: dict[str, Any]) -> dict[str, Any]:
    """Return the answer to a search."""
    took = {"decode": 1.0, "describe": 2.0, "search": 3.0, "total": 6.0}
    return {"collection": "default", "model": "vgg16:1", "hits": list(hits), "took_ms": took}
