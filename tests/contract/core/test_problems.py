"""Failures are `application/problem+json` with the contract's status and code."""

import pytest

KNOWN = "/api/v2/known"
SEARCH, TRAIN, DELETE = "/api/v2/search", "/api/v2/train", "/api/v2/delete"
PICTURE = {"file": ("x.jpg", b"hello")}


@pytest.mark.parametrize(
    ("method", "path", "request_", "status", "code"),
    [
        ("POST", TRAIN, {"content": b"{"}, 400, "bad_request"),
        ("POST", TRAIN, {"content": b"[1]"}, 400, "bad_request"),
        ("POST", TRAIN, {"content": b"[" * 100_000}, 400, "bad_request"),
        ("POST", TRAIN, {"json": {}}, 422, "invalid_argument"),
        ("POST", TRAIN, {"json": {"path": "a\0b"}}, 422, "invalid_argument"),
        ("POST", TRAIN, {"json": {"path": "x", "pathh": 1}}, 422, "invalid_argument"),
        ("POST", TRAIN, {"json": {"path": "/etc"}}, 403, "forbidden"),
        ("POST", TRAIN, {"json": {"path": "not/there"}}, 404, "path_not_found"),
        ("POST", TRAIN, {"json": {"path": ".", "collection": "a b"}}, 422, "invalid_argument"),
        ("POST", TRAIN, {"data": {"collection": "x"}}, 422, "invalid_argument"),
        ("POST", TRAIN, {"files": {"files": b"x"}, "data": {"metadata": "["}}, 422, None),
        ("POST", SEARCH, {"files": PICTURE}, 415, "unsupported_media_type"),
        ("POST", SEARCH, {"files": {"file": b"\xff\xd8\xff\xe0"}}, 422, "image_unreadable"),
        ("POST", SEARCH, {"files": PICTURE, "data": {"top_k": "0"}}, 422, "invalid_argument"),
        ("POST", SEARCH, {"files": PICTURE, "data": {"top_k": "1001"}}, 422, None),
        ("POST", SEARCH, {"files": PICTURE, "data": {"region": "1,2"}}, 422, None),
        ("POST", SEARCH, {"files": PICTURE, "data": {"colour": "red"}}, 422, None),
        ("POST", SEARCH, {"files": [("file", b"a"), ("file", b"b")]}, 422, None),
        ("POST", SEARCH, {"data": {"file": "text"}}, 422, "invalid_argument"),
        ("POST", SEARCH, {"json": {}}, 422, "invalid_argument"),
        ("POST", SEARCH, {"json": {"image": "*"}}, 422, "invalid_argument"),
        ("POST", SEARCH, {"json": {"image": "aGk="}}, 415, "unsupported_media_type"),
        ("POST", SEARCH, {"json": {"image_id": 10**15}}, 404, "image_not_found"),
        ("POST", SEARCH, {"json": {"image_id": 10**25}}, None, None),
        ("POST", SEARCH, {"json": {"url": "http://x/"}}, 422, "invalid_argument"),
        ("POST", SEARCH, {"json": {"image_id": 1, "image": "aGk="}}, 422, "invalid_argument"),
        ("POST", SEARCH, {"json": {"image_id": 1, "collection": "no"}}, 404, None),
        ("POST", DELETE, {"json": {}}, 422, "invalid_argument"),
        ("POST", DELETE, {"json": {"ids": []}}, 422, "invalid_argument"),
        ("POST", DELETE, {"json": {"ids": [1], "all": True}}, 422, "invalid_argument"),
        ("POST", DELETE, {"json": {"ids": [], "all": True}}, 422, "invalid_argument"),
        ("POST", DELETE, {"json": {"ids": [], "filter": "a == 1"}}, 422, "invalid_argument"),
        ("POST", DELETE, {"json": {"all": True, "collection": "no"}}, 404, "collection_not_found"),
        ("GET", "/api/v2/count?collection=no", {}, 404, "collection_not_found"),
        ("GET", "/api/v2/process?job=no", {}, 404, "job_not_found"),
        ("GET", "/api/v2/jobs/no", {}, 404, "job_not_found"),
        ("GET", "/api/v2/jobs/no/errors", {}, 404, "job_not_found"),
        ("GET", "/api/v2/images?limit=0", {}, 422, "invalid_argument"),
        ("GET", "/api/v2/images?cursor=x", {}, 422, "invalid_argument"),
        ("POST", KNOWN, {"json": {"sha256": ["0" * 64], "collection": "no"}}, 404, None),
        ("POST", KNOWN, {"json": {"sha256": ["0" * 63]}}, 422, "invalid_argument"),
        ("POST", KNOWN, {"json": {"sha256": ["0" * 64] * 10_001}}, 422, "invalid_argument"),
        ("GET", "/api/v2/images/999999999", {}, 404, "image_not_found"),
        ("GET", "/api/v2/images/99999999999999999999", {}, None, None),
        ("GET", "/api/v2/images/x", {}, 422, "invalid_argument"),
        ("DELETE", "/api/v2/images/999999999", {}, 404, "image_not_found"),
        ("DELETE", "/api/v2/collections/default", {}, 422, "invalid_argument"),
        ("DELETE", "/api/v2/collections/no", {}, 404, "collection_not_found"),
        ("POST", "/api/v2/collections", {"json": {"name": "default"}}, 409, "conflict"),
        ("POST", "/api/v2/collections", {"content": b"{"}, 400, "bad_request"),
        ("GET", "/nothing/here", {}, 404, None),
        ("PUT", TRAIN, {}, 405, None),
        ("GET", "/docs.json", {}, 404, None),
        ("POST", "/embed", {"content": b"x"}, 404, None),
    ],
)
def test_a_failure_is_a_problem_document(http, method, path, request_, status, code):
    answer = http.request(method, path, **request_)

    problem = answer.json()
    assert answer.headers["content-type"] == "application/problem+json"
    assert 400 <= answer.status_code < 500
    assert answer.status_code == (status or answer.status_code) == problem["status"]
    assert problem["code"] == (code or problem["code"])
    assert problem["detail"]
    assert problem["request_id"] == answer.headers["x-request-id"]
    assert "Traceback" not in answer.text
    assert "/root" not in answer.text


def test_a_request_id_of_the_caller_is_kept_if_it_is_sane(http):
    kept = http.get("/api/v2/count", headers={"X-Request-ID": "ci-42.a"})
    replaced = http.get("/api/v2/count", headers={"X-Request-ID": "a b\tc"})

    assert kept.headers["x-request-id"] == "ci-42.a"
    assert replaced.headers["x-request-id"] != "a b\tc"
