"""Files of forms: their content, and bounded memory and open files."""

import io
import tempfile
import tracemalloc
import zipfile
from encodings.aliases import aliases

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse

from bento_service.api.http import problems
from bento_service.api.http.bodies import form_body
from bento_service.api.http.form_files import FormFile
from bento_service.errors import StorageFull
from tests.support.file_access import open_files

CHARSETS = [*sorted(set(aliases.values())), "idna", "punycode", "unicode_escape", "undefined", "no"]
pytestmark = pytest.mark.anyio


@pytest.fixture
def temporary(monkeypatch, tmp_path):
    """Make temporary files in a folder of the test's own."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def asking(look):
    """Return a client of an app that calls a function with each form."""
    from fastapi import FastAPI

    app = FastAPI()
    problems.install(app)

    @app.post("/")
    async def index(request: Request):
        async with form_body(request) as form:
            return JSONResponse(look(form))

    transport = httpx.ASGITransport(app)
    return httpx.AsyncClient(transport=transport, base_url="http://here", timeout=60)


@pytest.mark.parametrize("size", [0, 1, 1000, 70_001])
async def test_files_and_fields_are_received_unchanged(size):
    sent = [("files", (f"{n}.bin", bytes([n]) * n * size)) for n in range(6)]
    seen = []

    def look(form):
        assert form["collection"] == "hats"
        for file in reversed(form.getlist("files")):
            seen.append((file.filename, file.file.read(), file.size))
            assert file.file.read(1) == b""
        return len(seen)

    async with asking(look) as http:
        answer = await http.post("/", files=sent, data={"collection": "hats"})
        assert answer.json() == 6
    assert seen == [(name, data, len(data)) for _, (name, data) in reversed(sent)]


async def test_a_file_can_be_read_in_any_order_like_an_archive():
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for n in range(20):
            archive.writestr(f"{n}.txt", f"file {n}" * n)

    def look(form):
        with zipfile.ZipFile(form["files"].file) as archive:
            return [archive.read(name).decode() for name in reversed(archive.namelist())]

    async with asking(look) as http:
        form = [("files", ("a.zip", packed.getvalue())), ("more", ("b", b"other"))]
        answer = await http.post("/", files=form)
        assert answer.json() == [f"file {n}" * n for n in reversed(range(20))]


async def test_memory_and_open_files_do_not_grow_with_the_form(temporary):
    part = b'--x\r\nContent-Disposition: form-data; name="files"; filename="a"\r\n\r\n'

    async def body():
        for _ in range(400):
            yield part
            for _ in range(4):
                yield bytes(200_000)
            yield b"\r\n"
        yield b"--x--\r\n"

    def look(form):
        opened = len(open_files(temporary))
        return [len(form.getlist("files")), opened, tracemalloc.get_traced_memory()[1]]

    tracemalloc.start()
    try:
        async with asking(look) as http:
            headers = {"Content-Type": "multipart/form-data; boundary=x"}
            answer = await http.post("/", content=body(), headers=headers)
    finally:
        tracemalloc.stop()
    files, opened, peak = answer.json()
    assert (files, opened) == (400, 1)
    assert peak < 30 * 2**20  # of 320 MB
    assert not open_files(temporary)


PART = b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n\xff\\xff-\r\n--x--\r\n'


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("multipart/form-data", b""),
        ("multipart/form-data; boundary=", b"--\r\n\r\n"),
        ("multipart/form-data; boundary=x", b"nothing"),
        ("multipart/form-data; boundary=x", b"--x\r\n\r\n\r\n--x--"),
        ("multipart/form-data; boundary=" + "x" * 300, b"--x"),
        *((f"multipart/form-data; boundary=x; charset={name}", PART) for name in CHARSETS),
        ("application/x-www-form-urlencoded", b"%&%zz=%ff&&=;\xff\0"),
    ],
)
async def test_an_invalid_form_is_a_400(kind, body, temporary):
    async with asking(len) as http:
        answer = await http.post("/", content=body, headers={"Content-Type": kind})
    assert answer.status_code in (200, 400)
    assert answer.status_code == 200 or answer.json()["code"] == "bad_request"
    assert not open_files(temporary)


async def test_a_full_disk_is_reported(small_disk):
    with (small_disk / "form").open("w+b", buffering=0) as shared:
        FormFile(shared).write(bytes(100_000))
        with pytest.raises(StorageFull):
            FormFile(shared).write(bytes(3_000_000))


@pytest.mark.parametrize(
    ("sent", "name"),
    [
        (b'"size 5%22.jpg"', 'size 5".jpg'),
        (b'"line%0Abreak%0d%0A.jpg"', "line\nbreak\r\n.jpg"),
        (b'"tab\there.jpg"', "tab\there.jpg"),
        (b'"tab%09here.jpg"', "tab\there.jpg"),
        (rb'"C:\fakepath\x.jpg"', r"C:\fakepath\x.jpg"),
        (rb'"C:\\fakepath\\x.jpg"', r"C:\fakepath\x.jpg"),
        (rb'"\\server\share\x.jpg"', r"\server\share\x.jpg"),
        (rb'"size 5\".jpg"', 'size 5".jpg'),
        (b'"100%.jpg"', "100%.jpg"),
        (b'"a%20b%2F.jpg"', "a%20b%2F.jpg"),
        (b'"a;name=b.jpg"', "a;name=b.jpg"),
        (b"plain.jpg", "plain.jpg"),
        ('"Mu\u0308ller \u5199\u771f.jpg"'.encode(), "Mu\u0308ller \u5199\u771f.jpg"),
    ],
)
async def test_the_name_of_a_file_is_the_one_that_its_sender_had(sent, name):
    body = b'--x\r\nContent-Disposition: form-data; name="files"; filename=' + sent
    body += b"\r\n\r\npicture\r\n--x--\r\n"
    async with asking(lambda form: form["files"].filename) as http:
        headers = {"Content-Type": "multipart/form-data; boundary=x"}
        answer = await http.post("/", content=body, headers=headers)
    assert answer.json() == name


@pytest.mark.parametrize(
    "name", ['a".jpg', "a\nb\rc\t.jpg", r"C:\fakepath\x.jpg", "\\", "a;b='c'.jpg"]
)
async def test_the_names_that_httpx_sends_come_in_as_they_are(name):
    async with asking(lambda form: form["files"].filename) as http:
        answer = await http.post("/", files={"files": (name, b"picture")})
    assert answer.json() == name
