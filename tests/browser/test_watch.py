"""The following of jobs, in the browser."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tests.browser.conftest import run
from tests.browser.test_values import job


@pytest.fixture
def bare(browser: Browser, server: Any) -> Iterator[Page]:
    """Yield a page that has modules and does nothing by itself."""
    with browser.new_context() as context:
        page = context.new_page()
        page.route("**/app.js", lambda route: route.abort())
        page.goto(server.url)
        yield page


def test_jobs_are_not_asked_for_after_a_session_ended_until_somebody_signs_in(bare: Page) -> None:
    body = """
        let asked = 0, status = 401, onAnswer;
        window.fetch = async (url) => {
            asked += url.includes("state=");
            return Response.json({jobs: [job]}, {status: url.includes("state=") ? status : 200});
        };
        const watch = new m.Watch(() => onAnswer?.());
        await watch.resume();
        const next = () => new Promise((done) => (onAnswer = done));
        const show = () => document.dispatchEvent(new Event("visibilitychange"));
        let answered = next();
        show();
        await answered;
        show();
        await new Promise((done) => setTimeout(done, 0));
        const before = asked;
        status = 200;
        answered = next();
        watch.goOn();
        await answered;
        return [before, asked];
    """
    assert run(bare, "service/watch.js", body, job=job(state="in_progress")) == [1, 2]


def test_an_upload_of_many_requests_is_whole_after_a_reload(bare: Page) -> None:
    jobs = [job(id=str(number), batch="b") for number in range(250)]
    body = """
        window.fetch = async (url) => {
            const asked = new URL(url, location.href).searchParams;
            const start = Number(asked.get("cursor")), end = start + Number(asked.get("limit"));
            return Response.json({
                jobs: jobs.slice(start, end), next_cursor: end < jobs.length ? String(end) : null,
            });
        };
        let found;
        await new m.Watch((runs) => (found = runs)).resume();
        return found.map(({ total }) => total);
    """
    assert run(bare, "service/watch.js", body, jobs=jobs) == [5 * 250]
