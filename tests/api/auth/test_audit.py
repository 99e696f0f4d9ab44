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
