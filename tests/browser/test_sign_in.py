"""A service that asks for tokens: its client, its page, and what it says when it starts."""

import os
import subprocess
import sys
from contextlib import suppress

import httpx
import pytest
from playwright.sync_api import expect

from client_sdk import Client, Forbidden, Unauthenticated
from tests.support.waiting import wait_until

READER, WRITER = "reader-" + "r" * 20, "writer-" + "w" * 20
SECONDS = 1000


@pytest.fixture(scope="module")
def tokens_file(tmp_path_factory):
    file = tmp_path_factory.mktemp("secrets") / "tokens"
    file.write_text(f"reader search {READER}\nwriter search,train {WRITER}\n")
    return file


@pytest.fixture(scope="module")
def guarded(new_server, tokens_file):
    server = new_server(LOOKALIKE_TOKENS_FILE=str(tokens_file)).start()
    yield server
    server.stop()


def test_the_client_sends_its_token_and_gets_what_its_scopes_allow(guarded, photographs):
    with Client(guarded.url, token=WRITER) as writer, Client(guarded.url, token=READER) as reader:
        writer.upload([photographs / "coins.jpg"]).wait()
        assert reader.search(photographs / "coins.jpg").hits[0].score > 0.999
        with pytest.raises(Forbidden, match="'reader' does not have the scope train"):
            reader.upload([photographs / "coins.jpg"])
        with pytest.raises(Forbidden, match="scope admin"):
            writer.reindex("default")
    refusal = pytest.raises(Unauthenticated, match="needs a token")
    with Client(guarded.url, token="") as nobody, refusal:
        nobody.count()


def test_probes_need_no_token_and_figures_do(guarded):
    assert httpx.get(f"{guarded.url}/readyz").status_code == 200
    assert httpx.get(f"{guarded.url}/livez").status_code == 200
    for path in ("/metrics", "/openapi.json", "/docs.json", "/healthz/x"):
        assert httpx.get(f"{guarded.url}{path}").status_code in (401, 404), path


def test_a_token_is_exchanged_without_a_restart(guarded, tokens_file):
    new = "newone-" + "n" * 20
    before = tokens_file.read_text()
    tokens_file.write_text(before + f"late search {new}\n")
    try:
        with Client(guarded.url, token=new) as late:

            def is_let_in():
                with suppress(Unauthenticated):
                    late.count()
                    return True

            wait_until(is_let_in, pause=0.1)
    finally:
        tokens_file.write_text(before)


def test_the_log_has_audit_lines_and_no_token(guarded, photographs):
    with Client(guarded.url, token=WRITER) as writer:
        writer.upload([photographs / "ihc.jpg"]).wait()
    log = guarded.log.read_text()
    assert "audit caller=writer from=127.0.0.1 POST /api/v2/train 202" in log
    assert WRITER not in log


def test_the_page_asks_for_a_token_and_then_shows_pictures(guarded, browser, photographs):
    with browser.new_context(base_url=guarded.url) as context:
        page = context.new_page()
        page.goto("/")
        field = page.get_by_label("Token")
        expect(field).to_be_visible(timeout=30 * SECONDS)
        expect(page.locator("#view-search")).to_be_hidden()
        field.fill("wrong-wrong-wrong-wrong")
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_text("This token is not valid")).to_be_visible()

        field.fill(READER)
        page.get_by_role("button", name="Sign in").click()
        expect(page.locator("#view-search")).to_be_visible(timeout=30 * SECONDS)
        page.locator("#query-file").set_input_files(photographs / "coins.jpg")
        thumbnail = page.locator("#results img").first
        expect(thumbnail).to_be_visible(timeout=30 * SECONDS)
        page.wait_for_function(
            "() => [...document.querySelectorAll('#results img')].every(i => i.naturalWidth)"
        )

        page.reload()
        expect(page.locator("#view-search")).to_be_visible(timeout=30 * SECONDS)


@pytest.mark.parametrize(
    ("settings", "what"),
    [
        ({"LOOKALIKE_HOST": "0.0.0.0"}, "there is no token; set LOOKALIKE_TOKENS"),  # noqa: S104
        ({"LOOKALIKE_TOKENS": "ci search"}, "LOOKALIKE_TOKENS, line 1: write `NAME SCOPES TOKEN`"),
        ({"LOOKALIKE_TOKENS_FILE": "/nonexistent"}, "LOOKALIKE_TOKENS_FILE cannot be read"),
        ({"LOOKALIKE_CORS_ORIGINS": "shop.example"}, "give origins such as https://shop.example"),
        ({"LOOKALIKE_TLS_KEY": "key.pem"}, "belong together; set both or none"),
        ({"LOOKALIKE_REQUESTS_PER_SECOND": "0"}, "LOOKALIKE_REQUESTS_PER_SECOND is '0'"),
    ],
)
def test_what_would_be_unsafe_or_wrong_is_said_at_the_start(settings, what, tmp_path, models):
    environment = {k: v for k, v in os.environ.items() if not k.startswith("LOOKALIKE_")}
    environment |= {"BENTOML_HOME": str(models.parent), "LOOKALIKE_DATA_DIR": str(tmp_path)}
    answer = subprocess.run(
        [sys.executable, "-m", "bento_service"],
        env=environment | settings,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (answer.returncode, answer.stderr.count("\n")) == (2, 1)
    assert what in answer.stderr
