"""Requests that are drawn from the OpenAPI document, sound ones and broken ones."""

import subprocess
import sys
from pathlib import Path

from client_sdk import Client

_PROGRAM = Path(sys.executable).with_name("schemathesis")
_CONFIG = Path(__file__).with_name("schemathesis.toml")


def test_every_answer_is_one_that_the_document_describes(service, tmp_path):
    with Client(service.url, timeout=60) as client:
        client.wait_ready(timeout=180)
    command = [
        *(_PROGRAM, "--config-file", _CONFIG, "run", f"{service.url}/openapi.json"),
        *("--checks", "all", "--max-examples", "5", "--generation-deterministic"),
        *("--exclude-path-regex", "/events$"),  # a stream that ends when its job does
        *("--warnings", "off", "--no-color", "--request-timeout", "60"),
    ]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=500)
    assert run.returncode == 0, run.stdout[-8000:]
