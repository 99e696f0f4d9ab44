"""Uploads of pictures: read in pieces while they are sent, and closed afterwards."""

import io
import json
from pathlib import Path

import httpx
import psutil
import pytest

from client_sdk import ConnectError, FileUnreadable, UsageError
from client_sdk._calls.pictures import DiskFile
from tests.support.answers import found

FOUND = found()


class Wire(httpx.BaseTransport, httpx.AsyncBaseTransport):
    """A transport that records the pieces of a request and the open files."""

    def __init__(self, answer, *, breaks=False):
        self._answer = answer
        self._breaks = breaks
        self.open_files = []
        self.pieces = []

    def handle_request(self, request):
        for piece in request.stream:
            self._take(piece)
        return self._answer

    async def handle_async_request(self, request):
        async for piece in request.stream:
            self._take(piece)
        return self._answer

    def _take(self, piece):
        self.pieces.append(piece)
        self.open_files.append(open_pictures())
        if self._breaks and len(piece) == 65_536:
            raise httpx.WriteError("gone")


def open_pictures():
    return [file.path for file in psutil.Process().open_files() if file.path.endswith(".jpg")]


@pytest.fixture
def folder(tmp_path):
    for name, letter in (("a.jpg", b"a"), ("b.jpg", b"b"), ("c.jpg", b"c")):
        (tmp_path / name).write_bytes(letter * 150_000)
    return tmp_path


@pytest.fixture
def accepted(job_body):
    return httpx.Response(202, json=job_body())


def test_every_kind_of_picture_can_be_uploaded(folder, accepted, service, ask, multipart):
    answers = service(accepted)
    with (folder / "b.jpg").open("rb") as file:
        pictures = [str(folder / "a.jpg"), file, ("näme.jpg", b"n"), b"raw", io.BytesIO(b"io")]
        ask(answers, lambda client: client.upload(pictures, collection="hats"))
    assert multipart(answers.requests[0]) == [
        ("collection", None, b"hats"),
        ("files", "a.jpg", b"a" * 150_000),
        ("files", "b.jpg", b"b" * 150_000),
        ("files", "näme.jpg", b"n"),
        ("files", "upload-4", b"raw"),
        ("files", "upload-5", b"io"),
    ]


@pytest.mark.parametrize("picture", [b"x", ("a.jpg", b"x"), io.BytesIO(b"x")])
def test_a_single_picture_needs_no_list(picture, accepted, service, ask, multipart):
    answers = service(accepted)
    ask(answers, lambda client: client.upload(picture))
    assert [content for _, _, content in multipart(answers.requests[0])] == [b"default", b"x"]


def test_a_pair_of_paths_is_two_pictures(folder, accepted, service, ask, multipart):
    answers = service(accepted)
    ask(answers, lambda client: client.upload((str(folder / "a.jpg"), str(folder / "b.jpg"))))
    assert [name for _, name, _ in multipart(answers.requests[0])] == [None, "a.jpg", "b.jpg"]


def test_pictures_may_come_from_a_generator(folder, accepted, service, ask, multipart):
    answers = service(accepted)
    ask(answers, lambda client: client.upload(folder.glob("*.jpg")))
    assert len(multipart(answers.requests[0])) == 4


def test_metadata_is_sent_as_json(accepted, service, ask, multipart):
    answers = service(accepted)
    ask(answers, lambda client: client.upload(b"x", metadata={"ort": "Köln", "year": 1999}))
    fields = {name: content for name, _, content in multipart(answers.requests[0])}
    assert json.loads(fields["metadata"]) == {"ort": "Köln", "year": 1999}


def test_a_search_sends_its_options_as_form_fields(service, ask, multipart):
    answers = service(httpx.Response(200, json=FOUND))
    ask(
        answers,
        lambda client: client.search(
            b"x",
            collection="hats",
            top_k=3,
            offset=5,
            min_score=0.25,
            region=(1, 2, 3, 4),
            exact=True,
            filter="year > 1990",
        ),
    )
    assert {name: content for name, _, content in multipart(answers.requests[0])} == {
        "collection": b"hats",
        "top_k": b"3",
        "offset": b"5",
        "min_score": b"0.25",
        "region": b"1,2,3,4",
        "exact": b"true",
        "filter": b"year > 1990",
        "file": b"x",
    }


def test_the_content_length_is_sent(folder, accepted, service, ask):
    answers = service(accepted)
    ask(answers, lambda client: client.upload(folder / "a.jpg"))
    (request,) = answers.requests
    assert int(request.headers["content-length"]) == len(request.content)


def test_at_most_one_file_is_open_and_pieces_are_small(folder, accepted, ask):
    wire = Wire(accepted)
    ask(wire, lambda client: client.upload(sorted(folder.iterdir())))
    assert max(len(names) for names in wire.open_files) == 1
    assert max(len(piece) for piece in wire.pieces) <= 65_536
    assert open_pictures() == []


def test_a_file_is_closed_when_the_connection_breaks(folder, accepted, ask):
    wire = Wire(accepted, breaks=True)
    with pytest.raises(ConnectError, match="gone"):
        ask(wire, lambda client: client.upload(folder / "a.jpg"))
    assert wire.open_files[-1] == [str(folder / "a.jpg")]
    assert open_pictures() == []


def test_an_open_file_is_sent_from_its_beginning_and_stays_open(accepted, service, ask, multipart):
    answers, file = service(accepted), io.BytesIO(b"whole")
    file.seek(3)
    ask(answers, lambda client: client.upload(file))
    assert multipart(answers.requests[0])[-1][2] == b"whole"
    assert not file.closed


def test_a_missing_file_is_an_error_before_anything_is_sent(tmp_path, accepted, service, ask):
    answers = service(accepted)
    with pytest.raises(FileUnreadable, match=r"gone\.jpg' cannot be read: No such file"):
        ask(answers, lambda client: client.upload(tmp_path / "gone.jpg"))
    assert answers.requests == []


def test_a_folder_is_rejected_with_a_hint_at_train(tmp_path, accepted, service, ask):
    with pytest.raises(UsageError, match="`train` takes folders"):
        ask(service(accepted), lambda client: client.upload(tmp_path))


@pytest.mark.parametrize("picture", [True, None, io.StringIO("text"), ("a.jpg", 5)])
def test_a_value_that_is_not_a_picture_is_rejected(picture, accepted, service, ask):
    with pytest.raises(UsageError, match="a picture cannot be"):
        ask(service(accepted), lambda client: client.search(picture))
    with pytest.raises(UsageError, match="a picture cannot be"):
        ask(service(accepted), lambda client: client.upload(picture))


def test_an_empty_list_of_pictures_is_rejected(accepted, service, ask):
    with pytest.raises(UsageError, match="no picture given"):
        ask(service(accepted), lambda client: client.upload([]))


def test_a_file_name_that_is_not_utf_8_can_be_uploaded(tmp_path, accepted, service, ask, multipart):
    path = Path(str(tmp_path) + "/\udcff.jpg")
    path.write_bytes(b"x")
    answers = service(accepted)
    ask(answers, lambda client: client.upload(path))
    assert multipart(answers.requests[0])[-1][2] == b"x"


def test_a_disk_file_can_be_read_again_from_its_beginning(folder):
    file = DiskFile(folder / "a.jpg")
    assert file.read(3) == b"aaa"
    assert open_pictures() == [str(folder / "a.jpg")]
    assert file.seek(0) == 0
    assert open_pictures() == []
    assert len(file.read()) == 150_000
    file.close()
