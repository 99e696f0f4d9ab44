"""Dashboard, alerts and scaling name only metrics that a running service has."""

import json
import re
from pathlib import Path

import httpx
import pytest
import yaml
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard
from prometheus_client.parser import text_string_to_metric_families

from client_sdk import Client

DEPLOY = Path(__file__).parents[2] / "deploy"
ALERTS = DEPLOY / "monitoring" / "alerts.yml"
DASHBOARD = DEPLOY / "monitoring" / "grafana" / "dashboards" / "lookalike.json"
SCALING = (
    DEPLOY / "kubernetes" / "components" / "scale-to-zero" / "scaled-object.yaml",
    DEPLOY / "kubernetes" / "overlays" / "scaled" / "embedder.yaml",
)
_METRIC = re.compile(r"\b(?:lookalike|bentoml|process)_\w+")


def expressions():
    """Return every expression of the alerts, the dashboard and the scalers."""
    for group in yaml.safe_load(ALERTS.read_text())["groups"]:
        yield from (rule["expr"] for rule in group["rules"])
    for panel in json.loads(DASHBOARD.read_text())["panels"]:
        yield from (target["expr"] for target in panel["targets"])
    for path in SCALING:
        for each in yaml.safe_load_all(path.read_text()):
            spec = each.get("spec", {})
            yield from (one["metadata"]["query"] for one in spec.get("triggers", ()))
            yield from (one["pods"]["metric"]["name"] for one in spec.get("metrics", ()))


def unknown_fields(given, read, path=""):
    """Yield what a document has and Grafana's own types have not kept."""
    if isinstance(given, dict) and isinstance(read, dict):
        for name, value in given.items():
            yield from unknown_fields(value, read.get(name), f"{path}/{name}")
    elif isinstance(given, list) and isinstance(read, list) and len(given) == len(read):
        for number, (one, other) in enumerate(zip(given, read, strict=True)):
            yield from unknown_fields(one, other, f"{path}/{number}")
    elif given != read:
        yield path


def read_by_grafana(dashboard):
    return json.loads(JSONEncoder().encode(Dashboard.from_json(dashboard)))


@pytest.fixture(scope="module")
def served(server, photographs):
    """The names of all samples of a service that has indexed and searched, and their labels."""
    with Client(server.url) as client:
        client.upload([photographs / "coffee.jpg"], collection="monitored").wait(timeout=300)
        client.search(photographs / "coffee.jpg", collection="monitored")
        text = httpx.get(f"{server.url}/metrics", timeout=60).text
        client.collection("monitored").delete()
    samples = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            samples.setdefault(sample.name, set()).update(sample.labels)
    return samples


def test_every_metric_is_on_the_page_of_a_running_service(served):
    named = {name for text in expressions() for name in _METRIC.findall(text)}
    assert len(named) > 12
    assert named <= served.keys(), named - served.keys()


def test_every_label_is_one_of_its_metric(served):
    for text in expressions():
        for name, labels in re.findall(r"(\w+)\{([^}]*)\}", text):
            asked = set(re.findall(r"(\w+)=", labels)) - {"job"}  # which Prometheus adds
            assert asked <= served.get(name, set()), text


def test_grafana_knows_every_field_of_the_dashboard():
    register_default_plugins()
    dashboard = json.loads(DASHBOARD.read_text())
    assert list(unknown_fields(dashboard, read_by_grafana(dashboard))) == []

    first = dashboard["panels"][0]
    first["gridpos"] = first.pop("gridPos")
    first["targets"][0]["expression"] = first["targets"][0].pop("expr")
    found = list(unknown_fields(dashboard, read_by_grafana(dashboard)))
    assert found == ["/panels/0/targets/0/expression", "/panels/0/gridpos"]
