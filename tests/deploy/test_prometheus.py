"""Our alerts and configuration in a real Prometheus."""

import copy
import shutil
import subprocess
from collections import Counter
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
import yaml

from tests.support.processes import child
from tests.support.waiting import wait_until

MONITORING = Path(__file__).parents[2] / "deploy" / "monitoring"
CASES = Path(__file__).with_name("alerts.yml")
PROGRAMS = ("prometheus", "promtool")
pytestmark = pytest.mark.skipif(
    not all(map(shutil.which, PROGRAMS)), reason="Prometheus is not installed"
)
NEVER, ALWAYS = "vector(1) > 1", "vector(1)"


def promtool(*arguments):
    return subprocess.run(
        ["promtool", *arguments], capture_output=True, text=True, timeout=60, check=False
    )


@pytest.fixture
def alerts():
    """Return the alerts as a document that may be changed."""
    return yaml.safe_load((MONITORING / "alerts.yml").read_text())


@pytest.fixture
def tested(tmp_path):
    """Return a function that runs all cases on a document of alerts."""
    shutil.copy(CASES, tmp_path)

    def tested(alerts):
        (tmp_path / "rules.yml").write_text(yaml.safe_dump(alerts))
        return promtool("test", "rules", tmp_path / CASES.name)

    return tested


def test_promtool_reads_the_alerts_and_the_configuration():
    for what in (["rules", "alerts.yml"], ["config", "--syntax-only", "prometheus.yml"]):
        *options, name = what
        ran = promtool("check", *options, MONITORING / name)
        assert ran.returncode == 0, ran.stderr


def test_each_alert_fires_when_it_should_and_only_then(alerts, tested):
    ran = tested(alerts)
    assert ran.returncode == 0, ran.stdout + ran.stderr


@pytest.mark.parametrize("expression", [NEVER, ALWAYS])
def test_the_cases_find_an_alert_that_fires_wrongly(alerts, tested, expression):
    for number, rule in enumerate(alerts["groups"][0]["rules"]):
        broken = copy.deepcopy(alerts)
        broken["groups"][0]["rules"][number]["expr"] = expression
        ran = tested(broken)
        assert ran.returncode == 1, rule["alert"]
        assert rule["alert"] in ran.stdout + ran.stderr


def test_prometheus_evaluates_every_alert_and_finds_a_service_that_is_down(
    server, free_port, tmp_path
):
    targets = [f"127.0.0.1:{server.port}", "127.0.0.1:1"]
    command = [
        "prometheus",
        f"--config.file={_configured(tmp_path, targets)}",
        f"--storage.tsdb.path={tmp_path / 'data'}",
        f"--web.listen-address=127.0.0.1:{free_port}",
    ]

    def asked(path, **parameters):
        url = f"http://127.0.0.1:{free_port}/api/v1/{path}"
        with suppress(httpx.TransportError):  # it does not listen yet
            answer = httpx.get(url, params=parameters)
            return answer.json()["data"] if answer.status_code == 200 else {}
        return {}

    def up():
        samples = asked("query", query="up").get("result", ())
        return {one["metric"]["instance"]: one["value"][1] for one in samples}

    def health():
        groups = asked("rules").get("groups", ())
        return Counter(rule["health"] for group in groups for rule in group["rules"])

    def pending():
        alerts = (one["labels"] for one in asked("alerts").get("alerts", ()))
        return {(labels["alertname"], labels.get("instance")) for labels in alerts}

    with (tmp_path / "log").open("w") as log, child(command, stdout=log, stderr=log):
        wait_until(lambda: up() == {targets[0]: "1", targets[1]: "0"}, pause=0.2)
        wait_until(lambda: health() and not health()["unknown"], pause=0.2)
        assert health().keys() == {"ok"}
        wait_until(
            lambda: pending() == {("LookalikeDown", targets[1])},
            pause=0.2,
            message=lambda: str(pending()),
        )


def _configured(folder, targets):
    """Write our configuration, with other targets and shorter intervals; return its path."""
    configuration = yaml.safe_load((MONITORING / "prometheus.yml").read_text())
    configuration["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    (job,) = configuration["scrape_configs"]
    job["authorization"]["credentials_file"] = str(folder / "token")
    job["static_configs"] = [{"targets": targets}]
    (folder / "token").write_text("f" * 64)
    shutil.copy(MONITORING / "alerts.yml", folder)
    path = folder / "prometheus.yml"
    path.write_text(yaml.safe_dump(configuration))
    return path
