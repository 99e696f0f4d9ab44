"""Results as sequences and in notebooks, batches of searches, and the transports of a client."""

import copy
import logging
import pickle
import ssl

import httpx
import pytest
from IPython.core.completer import provisionalcompleter
from IPython.core.interactiveshell import InteractiveShell

from client_sdk import Client, Hit, ImageUnreadable, SearchResponse, UsageError, schemas
from tests.support import answers

HIT = {**answers.HIT, "score": 0.91, "source": "<b>a.jpg", "metadata": {"price": 3}}
TWO = answers.found(HIT, {**HIT, "rank": 2, "image_id": 9, "score": 0.5})
DESCRIPTOR = {"descriptor": "vgg16-rmac4", "fingerprint": "f", "vector": [0.6, 0.8]}


@pytest.fixture
def service():
    """A service that finds two images and has a thumbnail; it keeps its requests."""
    requests = []

    def answer(request):
        request.read()
        requests.append(request)
        if request.url.path.endswith("/search"):
            return httpx.Response(200, json=TWO)
        if request.url.path.endswith("/describe"):
            return httpx.Response(200, json=DESCRIPTOR)
        return httpx.Response(200, content=b"picture")

    answer.requests = requests
    return answer


@pytest.fixture
def found(service):
    with Client(transport=httpx.MockTransport(service)) as client:
        yield client.search(b"x")


def test_a_result_is_a_sequence_of_hits(found):
    assert [hit.image_id for hit in found] == [7, 9]
    assert (len(found), found[0].rank, found[-1].rank) == (2, 1, 2)
    assert found[:1] == found.hits[:1]
    assert found.to_dicts()[1]["image_id"] == 9
    assert found.to_dicts()[0]["metadata"] == {"price": 3}
    with pytest.raises(IndexError):
        found[2]


def test_a_result_equals_its_wire_model_and_can_be_copied_and_pickled(found):
    wire = schemas.SearchResponse.model_validate(TWO)
    assert found == wire
    assert found.model_dump_json() == wire.model_dump_json()
    assert copy.deepcopy(found) == found
    assert pickle.loads(pickle.dumps(found)) == wire  # noqa: S301 - our own bytes


def test_a_hit_fetches_its_picture_and_descriptor(found, service):
    hit = found[0]
    assert hit.content() == b"picture"
    assert hit.thumbnail(size=64) == b"picture"
    assert hit.descriptor().vector == (0.6, 0.8)
    paths = [f"{one.method} {one.url.path}?{one.url.query.decode()}" for one in service.requests]
    assert paths[1:] == [
        "GET /api/v2/images/7/content?",
        "GET /api/v2/images/7/thumbnail?size=64",
        "POST /api/v2/describe?",
    ]


def test_an_unbound_hit_raises_usage_error():
    with pytest.raises(UsageError, match="this Hit is not bound to a client"):
        Hit.model_validate(HIT).content()


def test_a_notebook_shows_a_result_with_its_pictures(found):
    page = found._repr_html_()
    assert page.count('<img src="data:image/webp;base64,cGljdHVyZQ=="') == 2
    assert "&lt;b&gt;a.jpg" in page
    assert "<b>a.jpg" not in page
    assert "0.910" in page
    unbound = SearchResponse.model_validate(TWO)._repr_html_()
    assert "<img" not in unbound


def test_search_many_keeps_the_order_and_names_the_failed_query():
    def answer(request):
        body = request.read()
        if b"unreadable" in body:
            problem = {"title": "T", "status": 422, "detail": "d", "code": "image_unreadable"}
            return httpx.Response(422, json=problem)
        return httpx.Response(200, json={**TWO, "model": body.split(b"\r\n\r\n")[-1][:2].decode()})

    with Client(transport=httpx.MockTransport(answer)) as client:
        names = [f"{number:02}".encode() for number in range(12)]
        answers = client.search_many(names, concurrency=3, top_k=2)
        assert [one.model for one in answers] == [name.decode() for name in names]
        assert client.search_many([]) == []
        with pytest.raises(ImageUnreadable) as caught:
            client.search_many([b"01", b"unreadable"])
        assert caught.value.__notes__ == ["in query 1 of search_many, counted from 0"]


def test_a_call_may_have_a_timeout_of_its_own(service):
    with Client(transport=httpx.MockTransport(service), timeout=60) as client:
        client.with_options(timeout=2).search(b"x")
        client.search(b"x")
        with pytest.raises(UsageError, match="timeout"):
            client.with_options(timeout=0)
    assert [one.extensions["timeout"]["read"] for one in service.requests] == [2, 60]


def test_an_httpx_client_sends_with_its_headers_and_is_retried():
    attempts = []

    def answer(request):
        attempts.append(request.headers)
        if len(attempts) < 3:
            return httpx.Response(503, headers={"retry-after": "0"})
        return httpx.Response(200, json=TWO)

    own = httpx.Client(
        transport=httpx.MockTransport(answer),
        base_url="http://own.example",
        headers={"X-Team": "shop", "User-Agent": "shop/1"},
    )
    with Client(http_client=own) as client:
        assert len(client.search(b"x")) == 2
    assert len(attempts) == 3
    assert attempts[0]["x-team"] == "shop"
    assert (attempts[0]["user-agent"], attempts[0]["host"]) == ("shop/1", "own.example")
    assert not own.is_closed
    own.close()
    with pytest.raises(UsageError, match="can no longer send requests"):
        Client(http_client=own).search(b"x")


def test_certificates_are_loaded_and_a_missing_file_is_named(tmp_path, monkeypatch):
    Client("https://host", verify=ssl.create_default_context()).close()
    Client("https://host", verify=False).close()
    with pytest.raises(UsageError, match=r"verify is '.*gone.pem', which has no readable"):
        Client("https://host", verify=tmp_path / "gone.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "gone.pem"))
    with pytest.raises(UsageError, match="SSL_CERT_FILE is"):
        Client("https://host")


def test_conflicting_transports_are_rejected():
    with httpx.Client() as own, pytest.raises(UsageError, match="transport and http_client"):
        Client(http_client=own, transport=httpx.MockTransport(lambda request: None))
    with pytest.raises(UsageError, match="local: and verify exclude each other"):
        Client("local:folder", verify=False)


def test_requests_are_logged_without_secrets(service, caplog):
    with (
        caplog.at_level(logging.DEBUG, "lookalike"),
        Client(token="secret", transport=httpx.MockTransport(service)) as client,  # noqa: S106
    ):
        client.search(b"x", filter='shop == "private"')
    (record,) = [one for one in caplog.records if one.name == "lookalike"]
    assert record.getMessage() == "POST /api/v2/search: 200, -"
    assert "secret" not in caplog.text


@pytest.mark.parametrize(
    ("code", "wanted"),
    [
        ("client.search('a.jpg', top", "top_k="),
        ("client.upload_folder('.', conc", "concurrency="),
        ("client.train('.', verify", "verify_bytes="),
        ("client.sea", ".search_many"),
    ],
)
def test_ipython_completes_methods_and_their_options(code, wanted, tmp_path, monkeypatch):
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    shell = InteractiveShell.instance()
    shell.user_ns["client"] = Client("http://host")
    shell.Completer.use_jedi = False
    with provisionalcompleter():
        names = [one.text for one in shell.Completer.completions(code, len(code))]
    assert any(name.endswith(wanted) for name in names), names
