"""A text is no list: what the client refuses before anything is sent, for both clients."""

import httpx
import numpy as np
import pytest

from client_sdk import Client, LookalikeError, UsageError
from client_sdk.schemas import DeleteRequest, KnownRequest, SearchRequest

DIGEST = "ab" * 32
DELETED = {"collection": "default", "deleted": 1}


@pytest.mark.parametrize(
    ("question", "told"),
    [
        (lambda c: c.delete("12"), "ids is '12'; give a list of whole numbers, such as [1, 2]"),
        (lambda c: c.delete(b"12"), "ids is b'12'; give a list"),
        (lambda c: c.delete(bytearray(b"12")), "ids is bytearray(b'12'); give a list"),
        (lambda c: c.delete(memoryview(b"12")), "ids is <memory at"),
        (lambda c: c.delete({1: "a"}), "ids is {1: 'a'}; give a list"),
        (lambda c: c.delete(None), "ids is None; give a list"),
        (lambda c: c.delete(1.0), "ids is 1.0; give a list"),
        (lambda c: c.delete(True), "ids is True; give a list"),
        (lambda c: c.delete(["1"]), "'1' is not the id of an image"),
        (lambda c: c.delete([1, True]), "True is not the id of an image"),
        (lambda c: c.delete([1.0]), "1.0 is not the id of an image"),
        (lambda c: c.delete([[1]]), "[1] is not the id of an image"),
        (lambda c: c.search_by_id("12"), "'12' is not the id of an image"),
        (lambda c: c.search_by_id(True), "True is not the id of an image"),
        (lambda c: c.search_by_id([12]), "[12] is not the id of an image"),
        (lambda c: c.image("12"), "'12' is not the id of an image"),
        (lambda c: c.content("../jobs"), "'../jobs' is not the id of an image"),
        (lambda c: c.thumbnail(1.0), "1.0 is not the id of an image"),
        (lambda c: c.update_metadata("1", {}), "'1' is not the id of an image"),
        (lambda c: c.delete_image("../collections/hats"), "is not the id of an image"),
        (lambda c: c.compare(True, 1), "a picture cannot be a bool"),
        (lambda c: c.compare(1, 2.0), "a picture cannot be a float"),
        (lambda c: c.search(b"x", region="1234"), "region is '1234'; give a list"),
        (lambda c: c.search(b"x", region=b"1234"), "region is b'1234'; give a list"),
        (lambda c: c.search(b"x", region=4), "region is 4; give a list"),
        (lambda c: c.search(b"x", region=(0, 0, 1.5, 2)), "region is [0, 0, 1.5, 2]; give whole"),
        (lambda c: c.known(DIGEST), f"sha256 is '{DIGEST[:59]}; give a list of SHA-256"),
        (lambda c: c.known(DIGEST.encode()), "sha256 is b'"),
        (lambda c: c.known(5), "sha256 is 5; give a list"),
        (lambda c: c.known([5]), "sha256 has 5; give a list"),
        (lambda c: c.train("x", ignore=b"*.gif"), "ignore is b'*.gif'; give a list of patterns"),
        (lambda c: c.train("x", ignore=5), "ignore is 5; give a list of patterns"),
        (lambda c: c.train("x", ignore=["*.gif", 5]), "ignore has 5; give a list of patterns"),
        (lambda c: c.jobs(state=b"failed"), "state is b'failed'; give a list of states"),
        (lambda c: c.jobs(state=5), "state is 5; give a list of states"),
        (lambda c: c.job(12), "12 is not the id of a job"),
        (lambda c: c.retry(12), "12 is not the id of a job"),
        (lambda c: c.cancel(b"12"), "b'12' is not the id of a job"),
        (lambda c: c.process(12), "12 is not the id of a job"),
        (lambda c: c.upload(5), "a picture cannot be a number"),
        (lambda c: c.upload([5]), "a picture cannot be a number"),
    ],
)
def test_what_is_no_list_or_no_id_is_refused_by_its_name(question, told, service, ask):
    answers = service(httpx.Response(200, json=DELETED))

    with pytest.raises(LookalikeError) as refused:
        ask(answers, question)

    assert isinstance(refused.value, UsageError)
    assert told in str(refused.value)
    assert answers.requests == []


@pytest.mark.parametrize("option", ["pattern", "ignore"])
@pytest.mark.parametrize("value", [b"*.png", 5, [5]])
def test_patterns_of_a_folder_are_a_text_or_texts(option, value, tmp_path, service, ask):
    answers = service(httpx.Response(200, json={}))
    with pytest.raises(UsageError, match=f"^{option} (is|has) "):
        ask(answers, lambda client: client.upload_folder(tmp_path, **{option: value}))
    assert answers.requests == []


@pytest.mark.parametrize("roots", ["/photos", b"/photos", 5])
def test_the_roots_of_a_service_in_this_process_are_a_list(roots, tmp_path):
    with pytest.raises(UsageError, match=r"^roots is .*; give a list of folders"):
        Client.local(tmp_path / "data", roots=roots)
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    "ids", [[1, 2], (1, 2), {1: 0, 2: 0}.keys(), range(1, 3), np.array([1, 2])]
)
def test_every_kind_of_list_of_whole_numbers_is_one(ids, service, ask):
    answers = service(httpx.Response(200, json=DELETED))
    ask(answers, lambda client: client.delete(ids))
    ask(answers, lambda client: client.delete(one for one in ids))
    ask(answers, lambda client: client.delete(np.int64(7)))
    sent = [DeleteRequest.model_validate_json(one.content).ids for one in answers.requests]
    assert sent == [(1, 2), (1, 2), (7,)]


def test_whole_numbers_of_numpy_are_ids_everywhere(service, ask):
    answers = service(httpx.Response(404))
    for question in (lambda c: c.search_by_id(np.int64(7)), lambda c: c.image(np.int64(7))):
        with pytest.raises(LookalikeError):
            ask(answers, question)
    searched, looked_at = answers.requests
    assert SearchRequest.model_validate_json(searched.content).image_id == 7
    assert looked_at.url.path == "/api/v2/images/7"


def test_digests_may_come_from_a_generator(service, ask):
    answers = service(httpx.Response(200, json={"collection": "default", "known": [DIGEST]}))
    assert ask(answers, lambda client: client.known(iter([DIGEST]))) == {DIGEST}
    sent = KnownRequest.model_validate_json(answers.requests[0].content)
    assert sent.sha256 == (DIGEST,)
