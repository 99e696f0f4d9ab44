"""A service that asks for tokens: its client, its page, and what it says when it starts."""

import os
import re
import subprocess
import sys
from contextlib import suppress

import httpx
import pytest
from playwright.sync_api import expect

from client_sdk import Client, Forbidden, Unauthenticated
from tests.browser.conftest import run
from tests.support.waiting import WAIT_SECONDS, wait_until

READER, WRITER = "reader-" + "r" * 20, "writer-" + "w" * 20


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
            writer.collection("default").reindex()
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
    with Client(guarded.url, token=WRITER) as writer:
        writer.upload([photographs / "coins.jpg"]).wait()
    with browser.new_context(base_url=guarded.url) as context:
        page = context.new_page()
        page.goto("/")
        field = page.get_by_label("Token")
        expect(field).to_be_visible()
        field.fill("wrong-wrong-wrong-wrong")
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_text("This token is not valid")).to_be_visible()

        field.fill(READER)
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_role("dialog")).to_have_count(0)
        page.get_by_label("Choose a picture").set_input_files(photographs / "coins.jpg")
        results = page.get_by_role("grid", name="Results")
        expect(results.locator("img").first).to_be_visible()
        page.wait_for_function(
            "() => [...document.querySelectorAll('la-grid img')].every(i => i.naturalWidth)"
        )
        # The token may search only.
        expect(page.get_by_role("link", name="Add", exact=True)).to_have_count(0)
        results.locator("a").first.click()
        expect(page.get_by_role("dialog").get_by_role("link", name="Original")).to_be_visible()
        expect(page.get_by_role("button", name="Delete")).to_have_count(0)

        page.reload()
        expect(page.get_by_role("dialog", name="Picture coins.jpg")).to_be_visible()


def test_a_lost_session_is_asked_for_over_the_page_and_the_call_is_repeated(
    guarded, browser, photographs
):
    with Client(guarded.url, token=WRITER) as writer:
        writer.upload([photographs / "coins.jpg", photographs / "coffee.jpg"]).wait()
    with browser.new_context(base_url=guarded.url) as context:
        page = context.new_page()
        page.goto("/")
        page.get_by_label("Token").fill(WRITER)
        page.keyboard.press("Enter")
        page.get_by_role("link", name="Search with coins.jpg").click()
        results = page.get_by_role("grid", name="Results").locator(".picture")
        expect(results.first).to_have_accessible_name(re.compile("coins.jpg"))
        expect(results.nth(1)).to_be_visible()
        number = results.count()

        context.clear_cookies()
        results.nth(1).press("m")
        dialog = page.get_by_role("dialog", name="Sign in")
        expect(dialog).to_be_visible()
        expect(results).to_have_count(number)
        page.keyboard.press("Escape")
        expect(page.get_by_role("alert")).to_contain_text("needs a token")
        page.get_by_role("button", name="Settings").click()
        page.get_by_role("button", name="Use another token").click()
        page.get_by_label("Token").fill(WRITER)
        page.keyboard.press("Enter")
        expect(dialog).to_have_count(0)
        expect(page.get_by_role("alert")).to_have_count(0)
        # With the former results, the second one would be the query already.
        expect(results.first).not_to_have_accessible_name(re.compile("coins.jpg"))

        context.clear_cookies()
        results.nth(1).press("m")
        page.get_by_label("Token").fill(READER)
        page.keyboard.press("Enter")
        expect(page.get_by_role("alert")).to_have_count(0)
        expect(results).to_have_count(number)


def test_a_picture_does_not_cover_the_sign_in(guarded, browser, photographs):
    with Client(guarded.url, token=WRITER) as writer:
        writer.upload([photographs / "coins.jpg"]).wait()
        (hit, *_) = writer.search(photographs / "coins.jpg").hits
    with browser.new_context(base_url=guarded.url) as context:
        page = context.new_page()
        held = []
        page.route("**/picture/picture.js", lambda route: held.append(route))
        page.goto(f"/#/image/{hit.image_id}")
        field = page.get_by_label("Token")
        expect(field).to_be_focused()
        held[0].continue_()
        run(page, "views/picture/picture.js", "await new Promise(requestAnimationFrame)")
        expect(field).to_be_focused()
        page.keyboard.type(WRITER)
        page.keyboard.press("Enter")
        expect(page.get_by_role("dialog", name="Picture coins.jpg")).to_be_visible()


def test_only_a_click_that_began_outside_of_a_dialog_closes_it(guarded, browser):
    with browser.new_context(base_url=guarded.url) as context:
        page = context.new_page()
        page.goto("/")
        field = page.get_by_label("Token")
        field.fill(WRITER)
        field.hover()
        page.mouse.down()
        page.mouse.move(2, 2)
        page.mouse.up()
        expect(field).to_have_value(WRITER)
        page.mouse.click(2, 2)
        expect(page.get_by_role("dialog")).to_have_count(0)


def test_a_browser_that_keeps_no_cookies_is_told_so(guarded, browser):
    with browser.new_context(base_url=guarded.url) as context:
        page = context.new_page()
        page.route("**/api/v2/session", lambda route: route.fulfill(json={}))
        page.goto("/")
        page.get_by_label("Token").fill(WRITER)
        page.keyboard.press("Enter")
        expect(page.get_by_role("alert")).to_contain_text("did not keep the sign-in")


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
def test_unsafe_and_wrong_settings_are_reported_at_the_start(settings, what, tmp_path, models):
    environment = {k: v for k, v in os.environ.items() if not k.startswith("LOOKALIKE_")}
    environment |= {"BENTOML_HOME": str(models.parent), "LOOKALIKE_DATA_DIR": str(tmp_path)}
    answer = subprocess.run(
        [sys.executable, "-m", "bento_service"],
        env=environment | settings,
        capture_output=True,
        text=True,
        timeout=WAIT_SECONDS,
        check=False,
    )
    assert (answer.returncode, answer.stderr.count("\n")) == (2, 1)
    assert what in answer.stderr
