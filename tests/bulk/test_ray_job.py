"""The job for KubeRay: a valid command, the locked version of Ray, and no privileges."""

import re
import shlex
from pathlib import Path

import kubernetes_validate
import pytest
import yaml

from bento_service.bulk.__main__ import _parser
from bento_service.settings import Settings

PROJECT = Path(__file__).parents[2]


@pytest.fixture
def job():
    file = PROJECT / "deploy" / "kubernetes" / "bulk" / "ray-job.yaml"
    return yaml.safe_load(file.read_text())


@pytest.fixture
def groups(job):
    """Return the templates of the cluster's pods."""
    cluster = job["spec"]["rayClusterSpec"]
    return [group["template"] for group in (cluster["headGroupSpec"], *cluster["workerGroupSpecs"])]


@pytest.fixture
def templates(job, groups):
    """Return the templates of all pods that KubeRay makes for the job."""
    return [*groups, job["spec"]["submitterPodTemplate"]]


@pytest.fixture
def pods(templates):
    return [template["spec"] for template in templates]


def validate(template):
    """Check a template of pods by the schema of Kubernetes."""
    named = {"apiVersion": "v1", "kind": "PodTemplate", "metadata": {"name": "pod"}}
    kubernetes_validate.validate({**named, "template": template}, "1.33", strict=True)


def test_the_entry_point_is_a_command_line_of_the_program(job, groups):
    python, option, module, *arguments = shlex.split(job["spec"]["entrypoint"])
    options = _parser().parse_args(arguments)

    assert (python, option, module) == ("python", "-m", "bento_service.bulk")
    for group in groups:
        (container,) = group["spec"]["containers"]
        mounts = {mount["mountPath"] for mount in container["volumeMounts"]}
        for path in (options.images, options.out, options.model):
            assert {str(path), str(path.parent)} & mounts


def test_the_version_of_ray_is_the_locked_one(job):
    locked = (PROJECT / "requirements" / "bulk.txt").read_text()
    (version,) = re.findall(r"^ray\S*==(\S+)", locked, re.MULTILINE)
    assert job["spec"]["rayClusterSpec"]["rayVersion"] == version


def test_restricted_pod_security_admits_the_pods(pods):
    """The rules are those of the standard's level `restricted` that concern these fields."""
    for pod in pods:
        (container,) = pod["containers"]
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["runAsUser"] > 0
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
        }
        assert not {"hostNetwork", "hostPID", "hostIPC", "initContainers"} & pod.keys()
        for volume in pod.get("volumes", []):
            assert volume.keys() - {"name"} <= {"emptyDir", "persistentVolumeClaim"}


def test_the_pod_that_submits_leaves_its_command_to_kuberay(job):
    pod = job["spec"]["submitterPodTemplate"]["spec"]
    (container,) = pod["containers"]

    assert pod["restartPolicy"] == "Never"  # the default of pods, Always, is refused
    assert not {"command", "args"} & container.keys()


def test_pods_get_no_token_and_only_settings_that_exist(pods):
    for pod in pods:
        (container,) = pod["containers"]
        assert pod["automountServiceAccountToken"] is False
        assert pod["enableServiceLinks"] is False
        assert "memory" in container["resources"]["limits"]
        named = [each["name"] for each in container["env"]]
        own = [name for name in named if name.startswith("LOOKALIKE_")]
        assert all(name.removeprefix("LOOKALIKE_").lower() in Settings.model_fields for name in own)


def test_kubernetes_knows_every_field_of_the_pods(templates):
    for template in templates:
        validate(template)

    templates[0]["spec"]["containers"][0]["resource"] = {}
    with pytest.raises(kubernetes_validate.ValidationError, match="'resource' was unexpected"):
        validate(templates[0])
