"""A real server's limits for the size, depth and number of parts of request bodies."""

import pytest

DEEP = '{"metadata": ' + '{"a":' * 40 + "1" + "}" * 41
WIDE = '{"ids": [' + "1," * 300_000 + "1]}"


@pytest.fixture(scope="module", autouse=True)
def _no_traceback_in_the_log(server):
    before = server.log.stat().st_size
    yield
    assert b"Traceback" not in server.log.read_bytes()[before:]


@pytest.mark.parametrize("path", ["train", "search", "delete", "count", "collections"])
@pytest.mark.parametrize(
    "body", ["[" * 100_000, '{"a":' * 100_000, DEEP, WIDE, '{"a": NaN}', '{"a": 1e999}']
)
def test_deep_and_wide_json_is_a_400_at_once(http, path, body):
    headers = {"Content-Type": "application/json"}
    answer = http.post(f"/api/v2/{path}", content=body, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_request")
    assert http.patch("/api/v2/images/1", content=body, headers=headers).status_code == 400
    line = http.post(f"/api/v1/{path}", content=body, headers=headers)
    assert line.status_code in (400, 404)


@pytest.mark.parametrize(
    "body", [r'{"metadata": {"a": "\ud800"}}', r'{"\ud800": 1}', r'{"Table": "\udfff"}']
)
@pytest.mark.parametrize(
    "path", ["v2/train", "v2/search", "v2/delete", "v2/count", "v1/train", "v1/count", "v1/delete"]
)
def test_half_a_surrogate_pair_is_a_400(http, path, body):
    assert http.post(f"/api/{path}", content=body).status_code == 400
    assert http.patch("/api/v2/images/1", content=body).status_code == 400


def test_metadata_in_a_form_has_no_half_surrogate_pair(http):
    form = {"files": ("x.png", b"x")}
    answer = http.post("/api/v2/train", files=form, data={"metadata": r'{"a": "\ud800"}'})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_argument")
    assert "half a surrogate pair" in answer.json()["detail"]


@pytest.mark.parametrize("metadata", ["[" * 100_000, '{"a":' * 40 + "1" + "}" * 40])
def test_metadata_in_a_form_is_as_shallow(http, metadata):
    form = {"files": ("x.png", b"x")}
    answer = http.post("/api/v2/train", files=form, data={"metadata": metadata})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_argument")
    assert "inside each other" in answer.json()["detail"]


@pytest.mark.parametrize(
    "body",
    [
        {"path": ".", "ignore": ["a"] * 1001},
        {"path": ".", "ignore": ["a" * 5000]},
        {"path": "a" * 5000},
        {"path": ".", "collection": "a" * 5000},
    ],
)
def test_lists_and_names_have_an_end(http, body):
    answer = http.post("/api/v2/train", json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_argument")
    assert len(answer.content) < 1000


def test_ids_to_delete_have_an_end(http):
    answer = http.post("/api/v2/delete", json={"ids": list(range(100_001))})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_argument")


def test_a_body_in_memory_is_smaller_than_a_form_may_be(http):
    picture = "A" * (17 * 2**20)
    for path in ("/api/v2/search", "/api/v1/count"):
        assert http.post(path, json={"image": picture}).status_code == 413
    for path in ("/api/v2/collections", "/api/v2/count"):
        assert http.post(path, files={"file": picture.encode()}).status_code == 413


@pytest.mark.parametrize(
    "form",
    [
        {"data": {f"field{n}": "x" for n in range(51)}},
        {"data": {"metadata": "x" * 300_000}},
        {"data": {"x" * 300_000: "x"}},
        {"data": {"metadata": "x"}, "files": [("files", ("x", b""))] * 20_001},
    ],
    ids=["fields", "a field", "a name", "files"],
)
def test_forms_have_an_end(http, form):
    given = {"files": {"files": b"x"}, **form}
    answer = http.post("/api/v2/train", **given)
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_request")
    assert http.post("/api/v1/count", data=form["data"]).status_code in (200, 400)
