"""The compose file, read as YAML; `check_compose.py` runs it where Docker answers."""

import re

import pytest
import yaml

from tests.support.documents import PROJECT

TEXT = (PROJECT / "docker-compose.yml").read_text()
SERVICES = yaml.safe_load(TEXT)["services"]
VARIANTS = ("lookalike", "lookalike-gpu")


@pytest.mark.parametrize("variant", VARIANTS)
def test_forms_that_arrive_cannot_take_all_memory(variant):
    (mounted,) = SERVICES[variant]["tmpfs"]
    assert mounted == "/tmp:size=512m"  # noqa: S108
    memory = re.search(r":-(\d)g\}", SERVICES[variant]["mem_limit"])
    assert int(memory[1]) >= 2


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_setting_can_be_given_in_one_file(variant):
    (file,) = SERVICES[variant]["env_file"]
    assert file == {"path": "${SETTINGS:-lookalike.env}", "required": False}
    # An entry of `environment` replaces that of the file, also by an empty value.
    assert SERVICES[variant]["environment"].keys() == {"LOOKALIKE_MILVUS_URI"}


@pytest.mark.parametrize("variant", VARIANTS)
def test_prometheus_finds_the_service_that_runs(variant):
    monitoring = PROJECT / "deploy" / "monitoring" / "prometheus.yml"
    (job,) = yaml.safe_load(monitoring.read_text())["scrape_configs"]
    (group,) = job["static_configs"]
    networks = SERVICES[variant]["networks"]
    names = {variant, *(networks["front"] or {}).get("aliases", ())}
    assert {target.partition(":")[0] for target in group["targets"]} <= names
    assert networks.keys() == {"front", "index"}


def test_the_document_names_every_variable():
    document = (PROJECT / "docs" / "deploy.md").read_text("utf-8").partition("## Compose")[2]
    own = {"PULL", "PROMETHEUS_TOKEN"}  # for tests
    assert set(re.findall(r"\$\{(\w+)", TEXT)) - own <= set(re.findall(r"`(\w+)[`=]", document))
