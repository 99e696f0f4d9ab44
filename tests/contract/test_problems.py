"""Answers beyond the contract's calls: limits, pages, probes, documentation."""

import json


def test_405_names_the_methods_that_are_allowed(http):
    assert http.put("/api/v2/train").headers["allow"] == "POST"
    assert http.put("/api/v2/count").headers["allow"] == "GET, POST"
    assert http.post("/static/1/app.js").headers["allow"] == "GET, HEAD"


def test_a_body_over_the_limit_is_refused_declared_and_chunked(http):
    size = 41 * 2**20
    declared = http.post("/api/v2/train", content=b"x" * size)
    chunked = http.post(
        "/api/v2/train", content=(b"x" * 2**20 for _ in range(41)), headers={"X-A": "b"}
    )

    assert [declared.status_code, chunked.status_code] == [413, 413]
    assert declared.json()["code"] == chunked.json()["code"] == "too_large"


def test_the_openapi_document_names_every_call_of_the_contract(http):
    paths = http.get("/openapi.json").json()["paths"]

    for call in ("train", "process", "count", "search", "delete", "images", "jobs", "collections"):
        assert f"/api/v2/{call}" in paths
    assert "multipart/form-data" in json.dumps(paths["/api/v2/search"])


def test_the_pages_and_probes_answer(http):
    assert http.get("/").headers["content-type"].startswith("text/html")
    assert http.head("/").status_code == 200
    assert http.get("/").headers["cache-control"] == "no-cache"
    assert http.get("/livez").status_code == 200
    assert http.get("/readyz").status_code == 200
    http.get("/api/v2/images/123456")
    metrics = http.get("/metrics").text
    assert 'route="/api/v2/images/{image_id}"' in metrics
    assert "123456" not in metrics


def test_content_is_served_so_that_a_browser_runs_nothing(http, client, gallery):
    image = next(client.images(collection=gallery))

    answer = http.get(image.content_url)

    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in answer.headers["content-security-policy"]
    again = http.get(image.content_url, headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
