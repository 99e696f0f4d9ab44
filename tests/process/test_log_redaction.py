"""Answers and log lines of a server with defects."""

import re
import sys
from pathlib import Path

import httpx
import pytest

from bento_service.settings import Settings, SettingsError
from tests.support.waiting import wait_until

PROJECT = Path(__file__).parents[2]
DEFECTS = Path(__file__).parent / "defects"
SECRETS = ("hunter2", "/srv/private", "a-token-that-nobody-else-knows")
TOKEN = f"ci admin {SECRETS[2]}"


@pytest.fixture(scope="module", params=["info", "debug"])
def outcome(request, new_server, photographs):
    """Everything that a server with defects has said: its answers, its log, and what is private."""
    server = new_server(
        PYTHONPATH=str(DEFECTS), LOOKALIKE_TOKENS=TOKEN, LOOKALIKE_LOG_LEVEL=request.param
    ).start()
    answers = []
    picture = sorted(photographs.iterdir())[0]
    with httpx.Client(
        base_url=server.url, headers={"Authorization": f"Bearer {SECRETS[2]}"}, timeout=120
    ) as http:
        for headers in ({}, {"X-Request-ID": "of-a-defect"}):
            files = {"file": ("a.png", picture.read_bytes())}
            answers.append(http.post("/api/v2/search", files=files, headers=headers))
        answers.append(http.post("/api/v1/search", files=files))
        (server.images / picture.name).write_bytes(picture.read_bytes())
        answers.append(http.post("/api/v2/train", json={"path": "."}))
        wait_until(
            lambda: "ingest has stopped" in server.log.read_text(),
            message=lambda: server.log.read_text()[-4000:],
        )
        answers += [http.get(f"/api/v2/{what}") for what in ("process", "jobs")]
    server.stop()
    private = (str(server.data_dir), str(server.images), str(PROJECT), sys.prefix, *SECRETS)
    return request.param, answers, server.log.read_text(), private


def test_an_answer_tells_of_a_defect_only_its_request_id(outcome):
    _, answers, _, private = outcome
    assert [answer.status_code for answer in answers] == [500, 500, 500, 202, 200, 200]
    assert answers[1].json()["request_id"] == "of-a-defect"
    for answer in answers:
        for secret in (*private, "Traceback", "RuntimeError"):
            assert secret not in answer.text


def test_the_log_has_one_line_of_a_defect_and_nothing_private(outcome):
    level, _, log, private = outcome
    if level == "debug":
        assert "Traceback" in log
        assert str(DEFECTS) in log
        return
    (line,) = [line for line in log.splitlines() if "request_id=of-a-defect:" in line]
    assert "POST /api/v2/search failed" in line
    assert re.search(r"RuntimeError at bento_service\.[\w.]+:\d+", line)
    for secret in (*private, "Traceback", 'File "', "site-packages"):
        assert secret not in log


def test_only_a_log_for_debugging_has_a_line_for_each_request(outcome):
    level, _, log, _ = outcome
    assert ("GET /api/v2/process 200" in log) == (level == "debug")
    assert "/api/v2/jobs" not in log or level == "debug"


@pytest.mark.parametrize("name", ["MILVUS_URI", "CATALOGUE_URL", "TOKENS"])
def test_a_wrong_setting_is_named_without_its_secret(name):
    with pytest.raises((SettingsError, ValueError)) as caught:
        Settings.from_environment({f"LOOKALIKE_{name}": "user:hunter2@host", "LOOKALIKE_PORT": "x"})
    assert "hunter2" not in str(caught.value)
