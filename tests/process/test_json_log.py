"""The log as JSON, of a real service."""

import json

import httpx

from client_sdk import Client

ROUTES = ("/api/v2/search", "/describe_query")


def test_every_line_of_the_log_is_json_and_a_request_is_found_by_its_ids(new_server, photographs):
    server = new_server(LOOKALIKE_LOG_FORMAT="json").start()
    answer = httpx.post(
        f"{server.url}/api/v2/delete",
        json={"ids": [1]},
        headers={"X-Request-ID": "my-request"},
        timeout=60,
    )
    with Client(server.url) as client:
        client.search(photographs / "coffee.jpg")
    server.stop()

    assert answer.status_code == 200
    text = server.log.read_text()
    lines = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    own = [line for line in lines if line.get("request_id") == "my-request"]
    assert {line["logger"] for line in own} == {"bento_service.audit", "bentoml.access"}
    assert {"time", "level", "logger", "process", "message"} <= lines[0].keys()
    others = [line for line in text.splitlines() if line and not line.startswith("{")]
    assert others == [f"Lookalike is ready: {server.url}"]
    traces = [{x["trace_id"] for x in lines if route in x["message"]} for route in ROUTES]
    assert len(traces[0]) == 1
    assert traces[0] <= traces[1]
