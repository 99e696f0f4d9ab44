"""The deployment to BentoCloud, checked against BentoML's own schema of such files."""

import copy
import re
import warnings
from pathlib import Path

import yaml

from bento_service.settings import Settings

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from bentoml._internal.cloud.schemas.modelschemas import DeploymentStrategy
    from bentoml._internal.cloud.schemas.schemasv2 import CreateDeploymentSchema
    from bentoml._internal.utils.cattr import bentoml_cattr

PROJECT = Path(__file__).parents[2]
DEPLOYMENT = yaml.safe_load((PROJECT / "deploy" / "bentocloud.yaml").read_text())


def unknown(deployment):
    """Return the fields that BentoML would drop or replace, with their paths."""
    understood = bentoml_cattr.unstructure(
        bentoml_cattr.structure(deployment, CreateDeploymentSchema)
    )

    def missing(given, kept, path):
        if isinstance(given, dict) and isinstance(kept, dict):
            for key, value in given.items():
                if key not in kept and value not in (False, None):
                    yield f"{path}.{key}"
                elif key in kept:
                    yield from missing(value, kept[key], f"{path}.{key}")
        elif given != kept:
            yield path

    return sorted(missing(deployment, understood, ""))


def test_bentoml_understands_every_field():
    assert unknown(DEPLOYMENT) == []
    names = {one["name"].removeprefix("LOOKALIKE_").lower() for one in DEPLOYMENT["envs"]}
    assert names <= set(Settings.model_fields)
    strategies = {one["deployment_strategy"] for one in DEPLOYMENT["services"].values()}
    assert strategies <= {each.value for each in DeploymentStrategy}


def test_it_names_the_services_of_the_bento():
    code = (PROJECT / "bento_service" / "service.py").read_text()
    names = re.findall(r'@bentoml\.service\(\s*name="([\w-]+)"', code)
    assert sorted(DEPLOYMENT["services"]) == sorted(names)


def test_a_planted_error_is_found():
    wrong = copy.deepcopy(DEPLOYMENT)
    wrong["services"]["lookalike"]["scaling"]["max_replica"] = 2
    wrong["service"] = {}
    assert unknown(wrong) == [".service", ".services.lookalike.scaling.max_replica"]


def test_one_replica_of_the_service_and_the_same_precision_everywhere():
    assert DEPLOYMENT["services"]["lookalike"]["scaling"]["max_replicas"] == 1
    assert {"name": "LOOKALIKE_PRECISION", "value": "fp32"} in DEPLOYMENT["envs"]
