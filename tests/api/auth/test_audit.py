"""The audit log, with the real routes."""

import logging
import re

import pytest

from bento_service.api.auth.tokens import Scope
from tests.support.surface import TOKENS, bearer, client, rules

pytestmark = pytest.mark.anyio


async def test_the_audit_log_has_changes_and_refusals_but_no_secrets(caplog):
    caplog.set_level(logging.INFO, "bento_service.audit")
    async with client(rules()) as http:
        await http.post("/api/v2/delete", json={"all": True}, headers=bearer(Scope.TRAIN))
        await http.post("/api/v2/delete", json={"all": True}, headers=bearer(Scope.SEARCH))
        await http.get("/api/v2/images?x=secret", headers={"Authorization": "Bearer " + "z" * 24})
        await http.post("/api/v2/search", json={}, headers=bearer(Scope.SEARCH))
        await http.get("/openapi.json", headers=bearer(Scope.SEARCH))
    deleted, forbidden, unknown = caplog.messages
    assert re.match(r"audit caller=train-token from=\S+ POST /api/v2/delete \d+ ", deleted)
    assert re.match(r"audit caller=search-token \S+ POST /api/v2/delete 403 ", forbidden)
    assert re.match(r"audit caller=- \S+ GET /api/v2/images 401 request_id=\w+", unknown)
    assert not any(token in caplog.text for token in (*TOKENS.values(), "zzzz", "secret"))


async def test_the_audit_log_has_no_request_that_was_rejected_for_load(caplog):
    caplog.set_level(logging.INFO, "bento_service.audit")
    busy = rules().model_copy(update={"requests_in_flight": 0})
    async with client(busy) as http:
        for path in ("search", "delete"):
            answer = await http.post(f"/api/v2/{path}", json={}, headers=bearer(Scope.TRAIN))
            assert answer.status_code == 429
    assert caplog.messages == []


async def test_the_audit_log_has_no_request_that_its_caller_may_not_send_yet(caplog):
    caplog.set_level(logging.INFO, "bento_service.audit")
    async with client(rules(requests_per_second=0.001)) as http:
        for status in (200, 429):
            answer = await http.get("/openapi.json", headers=bearer(Scope.TRAIN))
            assert answer.status_code == status
    assert caplog.messages == []


async def test_the_audit_log_has_each_sign_in_that_is_refused(caplog):
    caplog.set_level(logging.INFO, "bento_service.audit")
    async with client(rules()) as http:
        await http.post("/api/v2/session", json={"token": TOKENS[Scope.SEARCH]})
        await http.post("/api/v2/session", json={"token": "z" * 24})
        await http.post("/api/v2/session", headers={"Origin": "https://evil.example"})
    wrong, foreign = caplog.messages
    assert re.match(r"audit caller=- from=\S+ POST /api/v2/session 401 request_id=\w+", wrong)
    assert re.match(r"audit caller=- from=\S+ POST /api/v2/session 403 request_id=\w+", foreign)
    assert "zzzz" not in caplog.text
