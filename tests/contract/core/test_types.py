"""A value of another type is refused, by every service: nothing is done to images nobody named."""

import json

import pytest

from client_sdk import UsageError

DIGEST = "0" * 64


def _post(call, **body):
    return ("POST", f"/api/v2/{call}", {"json": body})


def _form(call, **fields):
    picture = {"a": ("x.jpg", b"x")} if call == "compare" else {"file": ("x.jpg", b"x")}
    return ("POST", f"/api/v2/{call}", {"files": picture, "data": fields})


@pytest.mark.parametrize(
    ("request_", "named"),
    [
        (_post("delete", ids="12"), 'ids: is "12"; give a list'),
        (_post("delete", ids=12), "ids: is 12; give a list"),
        (_post("delete", ids={"1": 2}), 'ids: is {"1": 2}; give a list'),
        (_post("delete", ids=["1"]), 'ids.0: is "1"; give a whole number'),
        (_post("delete", ids=[1, True]), "ids.1: is true; give a whole number"),
        (_post("delete", ids=[1.0]), "ids.0: is 1.0; give a whole number"),
        (_post("delete", ids=[None]), "ids.0: is null; give a whole number"),
        (_post("delete", ids=[[1]]), "ids.0: is [1]; give a whole number"),
        (_post("delete", all="true"), 'all: is "true"; give true or false'),
        (_post("delete", all=1), "all: is 1; give true or false"),
        (_post("search", image_id="1"), 'image_id: is "1"; give a whole number'),
        (_post("search", image_id=True), "image_id: is true; give a whole number"),
        (_post("search", image_id=1.0), "image_id: is 1.0; give a whole number"),
        (_post("search", image_id=[1]), "image_id: is [1]; give a whole number"),
        (_post("search", image_id=1, top_k="3"), 'top_k: is "3"; give a whole number'),
        (_post("search", image_id=1, min_score="0.5"), 'min_score: is "0.5"; give a number'),
        (_post("search", image_id=1, exact="no"), 'exact: is "no"; give true or false'),
        (_post("search", image="aGk=", region="1,2,3,4"), 'region: is "1,2,3,4"; give a list'),
        (_post("search", image="aGk=", region=[1.0, 2, 3, 4]), "region.0: is 1.0; give a whole"),
        (_post("compare", a_id="1", b_id=2), 'a_id: is "1"; give a whole number'),
        (_post("compare", a_id=1, b_id=[2]), "b_id: is [2]; give a whole number"),
        (_post("compare", a_id=1, b_id=2.0), "b_id: is 2.0; give a whole number"),
        (_post("compare", a_id=1, b_id=False), "b_id: is false; give a whole number"),
        (_post("duplicates", limit="5"), 'limit: is "5"; give a whole number'),
        (_post("known", sha256=DIGEST), f'sha256: is "{DIGEST[:59]}...; give a list'),
        (_post("known", sha256=[1]), "sha256.0: "),
        (_post("train", path="x", ignore="*.gif"), 'ignore: is "*.gif"; give a list'),
        (_post("train", path="x", ignore=[1]), "ignore.0: "),
        (_post("train", path="x", prune="no"), 'prune: is "no"; give true or false'),
        (_post("train", path=["x"]), "path: "),
        (_post("collections", name="x", ttl_seconds="60"), 'ttl_seconds: is "60"; give a whole'),
        (_form("search", top_k="3.0"), 'top_k: is "3.0"; give a whole number'),
        (_form("search", top_k="1_0"), 'top_k: is "1_0"; give a whole number'),
        (_form("search", exact="maybe"), 'exact: is "maybe"; give true or false'),
        (_form("search", region="1,2,3.0,4"), 'region.2: is "3.0"; give a whole number'),
        (_form("compare", b_id="1.0"), 'b_id: is "1.0"; give a whole number'),
        (_form("compare", b_id="1_0"), 'b_id: is "1_0"; give a whole number'),
        (_form("compare", b_id="true"), 'b_id: is "true"; give a whole number'),
        *(
            (("DELETE", f"/api/v2/images/{text}", {}), "image_id: ")
            for text in ("1_0", "1.0", "%201", "+1", "true", "%D9%A1")
        ),
    ],
    ids=str,
)
def test_a_value_of_another_type_is_refused_by_its_name(http, request_, named):
    method, path, sent = request_

    answer = http.request(method, path, **sent)

    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_argument")
    assert named in answer.json()["detail"]


def test_a_text_deletes_no_image_of_its_digits(client, http, gallery):
    held = [image.id for image in client.images(collection=gallery)]
    text = "".join(str(one) for one in held)

    for ids in (text, text.encode(), str(held[0]), True):
        with pytest.raises(UsageError, match="ids is"):
            client.delete(ids, collection=gallery)
    sent = {"collection": gallery, "ids": text}
    assert http.post("/api/v2/delete", content=json.dumps(sent)).status_code == 422
    with pytest.raises(UsageError, match=r"image_id is .*; give a whole number"):
        client.image(str(held[0]))

    assert [image.id for image in client.images(collection=gallery)] == held


def test_a_form_still_holds_numbers_and_lists_as_text(http, gallery, photographs):
    with (photographs / "coffee.jpg").open("rb") as file:
        fields = {"collection": gallery, "top_k": "2", "exact": "true", "min_score": "-1"}
        fields["region"] = "0, 0, 90, 90"
        answer = http.post("/api/v2/search", files={"file": file}, data=fields)

    assert answer.status_code == 200, answer.text
    assert len(answer.json()["hits"]) == 2
