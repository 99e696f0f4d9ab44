"""The files of the page under the digest of all of them."""

import gzip
import re

import httpx
import pytest
from starlette.applications import Starlette

from bento_service.api.page_files import page_routes

pytestmark = pytest.mark.anyio
INDEX = """<head><link rel="stylesheet" href="static/a.css">
<script type="module" src="static/first.js"></script></head>"""
FILES = {
    "index.html": INDEX,
    "a.css": "p { color: red }" * 100,
    "first.js": "/** What it does. */\n// Why.\n"
    'import { x } from "./lib/x.js";\nimport "./y.js";\nimport("./lazy.js");\n',
    "lib/x.js": 'export * from "../y.js";\n',
    "y.js": "1;",
    "lazy.js": "2;",
    "notes.txt": "of the author",
}


@pytest.fixture
def folder(tmp_path):
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def _client(folder):
    app = Starlette(routes=page_routes(folder))
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://page")


async def _digest(client):
    page = await client.get("/")
    return re.findall("static/([0-9a-f]{16})/first.js", page.text)[0]


async def test_files_are_kept_for_good_and_the_page_is_not(folder):
    client = _client(folder)
    page = await client.get("/")
    file = await client.get(f"/static/{await _digest(client)}/a.css")
    assert page.headers["cache-control"] == "no-cache"
    assert "immutable" in file.headers["cache-control"]
    assert file.text == FILES["a.css"]
    assert file.headers["content-type"].startswith("text/css")


async def test_a_change_of_one_file_changes_every_address(folder):
    before = await _digest(_client(folder))
    (folder / "y.js").write_text("3;")
    client = _client(folder)
    assert await _digest(client) != before
    old = await client.get(f"/static/{before}/a.css")
    assert old.status_code == 404


async def test_comments_are_left_out_and_lines_keep_their_numbers(folder):
    client = _client(folder)
    answer = await client.get(f"/static/{await _digest(client)}/first.js")
    assert answer.text.splitlines()[:3] == ["", "", 'import { x } from "./lib/x.js";']


async def test_code_after_a_comment_stays(folder):
    code = "/** @type {any} */ (document).go();\nlet kept = 1;\n/** Last. */\n"
    (folder / "y.js").write_text(code)
    client = _client(folder)
    answer = await client.get(f"/static/{await _digest(client)}/y.js")
    assert answer.text.splitlines() == [*code.splitlines()[:2], ""]


async def test_only_modules_that_are_needed_at_once_are_preloaded(folder):
    page = (await _client(folder).get("/")).text
    preloaded = re.findall('modulepreload" href="static/[0-9a-f]+/([^"]+)', page)
    assert preloaded == ["first.js", "lib/x.js", "y.js"]
    assert 'href="static/a.css"' not in page


async def test_files_are_compressed_for_those_who_accept_it(folder):
    client = _client(folder)
    path = f"/static/{await _digest(client)}/a.css"
    async with client.stream("GET", path, headers={"Accept-Encoding": "gzip"}) as answer:
        raw = b"".join([part async for part in answer.aiter_raw()])
        assert answer.headers["content-encoding"] == "gzip"
    assert gzip.decompress(raw).decode() == FILES["a.css"]
    plain = await client.get(path, headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers
    assert plain.headers["vary"] == "Accept-Encoding"


@pytest.mark.parametrize("name", ["index.html", "notes.txt", "none.js", ""])
async def test_nothing_else_is_served(name, folder):
    client = _client(folder)
    answer = await client.get(f"/static/{await _digest(client)}/{name}")
    assert answer.status_code == 404
