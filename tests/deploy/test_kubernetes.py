"""The manifests for Kubernetes: valid, restricted, and consistent with each other and the settings.

No cluster runs here: kustomize builds each overlay, its schemas and the rules below check it.
"""

import copy
import re
import shutil
import subprocess

import kubernetes_validate
import pytest
import yaml

from bento_service.settings import Settings
from tests.support.documents import PROJECT, blocks

FOLDER = PROJECT / "deploy" / "kubernetes"
VERSION = "1.33"
OVERLAYS = ("base", "overlays/single-node", "overlays/scaled", "overlays/gpu")
COMPONENTS = ("monitoring", "scale-to-zero")
DEFINED_BY_OTHERS = {"ServiceMonitor", "ScaledObject"}
PORTS = {"http": 8001, "embedder": 3000}


def kustomized(folder):
    if shutil.which("kubectl") is None:
        pytest.skip("kubectl, which has kustomize, is not installed")
    built = subprocess.run(
        ["kubectl", "kustomize", folder], capture_output=True, text=True, timeout=60, check=True
    )
    return list(yaml.safe_load_all(built.stdout))


@pytest.fixture(params=[*OVERLAYS, "everything"])
def manifests(request, tmp_path):
    """Return the manifests of an overlay, and of one with every component."""
    if request.param != "everything":
        return kustomized(FOLDER / request.param)
    shutil.copytree(FOLDER, tmp_path / "kubernetes")
    own = tmp_path / "kubernetes" / "own"
    own.mkdir()
    names = [f"../components/{name}" for name in COMPONENTS]
    (own / "kustomization.yaml").write_text(
        yaml.safe_dump({"resources": ["../overlays/scaled"], "components": names})
    )
    return kustomized(own)


def problems(manifests):
    """Return the problems of manifests, one line each."""
    return [
        *_schema_problems(manifests),
        *_reference_problems(manifests),
        *(line for each in manifests for pod in _pods(each) for line in _pod_problems(pod)),
    ]


def _schema_problems(manifests):
    for each in manifests:
        if each["kind"] in DEFINED_BY_OTHERS:
            continue
        try:
            kubernetes_validate.validate(each, VERSION, strict=True)
        except kubernetes_validate.ValidationError as error:
            yield f"{each['kind']}: {error.message}"


def _reference_problems(manifests):
    labels = [pod["metadata"]["labels"] for each in manifests for pod in _pods(each)]
    for each in manifests:
        for selector in _selectors(each):
            if not any(selector.items() <= given.items() for given in labels):
                yield f"{each['kind']}: no pod has {selector}"
        target = each.get("spec", {}).get("scaleTargetRef")
        if target and not any(
            one["kind"] == target.get("kind", "Deployment")
            and one["metadata"]["name"] == target["name"]
            for one in manifests
        ):
            yield f"{each['kind']}: there is no {target['name']}"
    guarded = {
        each["spec"]["podSelector"]["matchLabels"]["app.kubernetes.io/name"]
        for each in manifests
        if each["kind"] == "NetworkPolicy" and each["spec"]["ingress"]
    }
    for given in labels:
        if given["app.kubernetes.io/name"] not in guarded:
            yield f"pod {given['app.kubernetes.io/name']}: no network policy"


def _selectors(manifest):
    spec = manifest.get("spec", {})
    if manifest["kind"] == "Service":
        yield spec["selector"]
    for key in ("selector", "podSelector"):
        if isinstance(spec.get(key), dict) and "matchLabels" in spec[key]:
            yield spec[key]["matchLabels"]


def _pods(manifest):
    if manifest["kind"] in ("Deployment", "StatefulSet"):
        yield manifest["spec"]["template"]


def _pod_problems(pod):
    spec = pod["spec"]
    (container,) = spec["containers"]
    name = container["name"]
    security = container.get("securityContext", {})
    restricted = {  # Kubernetes' standard `restricted`, and a read-only root
        "runAsNonRoot": spec["securityContext"].get("runAsNonRoot") is True,
        "seccompProfile": spec["securityContext"].get("seccompProfile")
        == {"type": "RuntimeDefault"},
        "allowPrivilegeEscalation": security.get("allowPrivilegeEscalation") is False,
        "capabilities": security.get("capabilities") == {"drop": ["ALL"]},
        "readOnlyRootFilesystem": security.get("readOnlyRootFilesystem") is True,
        "enableServiceLinks": spec.get("enableServiceLinks") is False,
        "automountServiceAccountToken": spec.get("automountServiceAccountToken") is False,
        "limits": "memory" in container["resources"].get("limits", {}),
    }
    yield from (f"{name}: {rule}" for rule, holds in restricted.items() if not holds)
    if container.get("livenessProbe", {}).get("httpGet", {}).get("path") != "/livez":
        yield f"{name}: liveness waits for something else than the process"
    if container.get("readinessProbe", {}).get("httpGet", {}).get("path") != "/readyz":
        yield f"{name}: readiness is not /readyz"
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        port = container.get(probe, {}).get("httpGet", {}).get("port")
        if port not in {one["name"] for one in container["ports"]}:
            yield f"{name}: {probe} asks port {port}"
    for port in container["ports"]:
        if PORTS.get(port["name"]) != port["containerPort"]:
            yield f"{name}: port {port['name']} is {port['containerPort']}"
    for setting in container.get("env", ()):
        if setting["name"].removeprefix("LOOKALIKE_").lower() not in Settings.model_fields:
            yield f"{name}: {setting['name']} is not a setting"


def test_every_overlay_is_valid_and_restricted(manifests):
    assert problems(manifests) == []


def test_every_pod_uses_the_cores_that_it_requests(manifests):
    """Pods have no CPU limit, so by default they would use all cores of a node."""
    for pod in (pod for each in manifests for pod in _pods(each)):
        (threads,) = (
            one for one in pod["spec"]["containers"][0]["env"] if one["name"] == "LOOKALIKE_THREADS"
        )
        assert threads["valueFrom"]["resourceFieldRef"]["resource"] == "requests.cpu"


def test_only_the_overlay_of_one_node_mounts_a_folder_of_the_node():
    """The security standard `restricted` forbids such volumes."""
    mounting = {
        overlay
        for overlay in OVERLAYS
        for each in kustomized(FOLDER / overlay)
        for pod in _pods(each)
        if any("hostPath" in volume for volume in pod["spec"]["volumes"])
    }
    assert mounting == {"overlays/single-node"}


def test_the_kustomization_of_the_document_names_a_registry_for_every_pod(tmp_path):
    (written,) = (
        block.text
        for block in blocks(PROJECT / "docs" / "deploy.md")
        if block.language == "yaml" and "resources:" in block.text
    )
    shutil.copytree(FOLDER, tmp_path / "deploy" / "kubernetes")
    for overlay, name in (
        ("single-node", "lookalike"),
        ("scaled", "lookalike-server"),
        ("gpu", "lookalike-gpu"),
    ):
        own = written.replace("overlays/scaled", f"overlays/{overlay}")
        (tmp_path / "kustomization.yaml").write_text(own.replace("lookalike-server", name))
        images = {
            pod["spec"]["containers"][0]["image"]
            for each in kustomized(tmp_path)
            for pod in _pods(each)
        }
        assert images == {f"registry.example/{name}:0.1.0"}


def test_the_additions_of_the_document_are_merged(tmp_path):
    yamls = [one.text for one in blocks(PROJECT / "docs" / "deploy.md") if one.language == "yaml"]
    shutil.copytree(FOLDER, tmp_path / "deploy" / "kubernetes")
    (tmp_path / "kustomization.yaml").write_text("".join(yamls))
    manifests = kustomized(tmp_path)
    (shared,) = (each for each in manifests if each["kind"] == "ConfigMap")
    assert shared["data"] == {"LOOKALIKE_PRECISION": "int8"}
    assert "ServiceMonitor" in {each["kind"] for each in manifests}


def test_one_replica_owns_the_folder(manifests):
    (service,) = (each for each in manifests if each["kind"] == "StatefulSet")
    assert service["spec"]["replicas"] == 1
    assert service["spec"]["volumeClaimTemplates"][0]["metadata"]["name"] == "data"


def test_only_the_service_and_prometheus_reach_the_embedder():
    (policy,) = (
        each
        for each in kustomized(FOLDER / "overlays/scaled")
        if each["kind"] == "NetworkPolicy" and each["metadata"]["name"] == "embedder"
    )
    (rule,) = policy["spec"]["ingress"]
    callers = {one["podSelector"]["matchLabels"]["app.kubernetes.io/name"] for one in rule["from"]}
    assert callers == {"lookalike", "prometheus"}
    assert policy["spec"]["egress"] == []


def test_both_sides_get_the_same_precision():
    for overlay in ("scaled", "gpu"):
        manifests = kustomized(FOLDER / "overlays" / overlay)
        (shared,) = (each for each in manifests if each["kind"] == "ConfigMap")
        assert "LOOKALIKE_PRECISION" in shared["data"]
        for each in manifests:
            for pod in _pods(each):
                sources = pod["spec"]["containers"][0]["envFrom"]
                named = [one["configMapRef"]["name"] for one in sources if "configMapRef" in one]
                assert named == [shared["metadata"]["name"]]


def test_scale_to_zero_replaces_the_other_scaler_and_lets_requests_through(tmp_path):
    shutil.copytree(FOLDER, tmp_path / "kubernetes")
    own = tmp_path / "kubernetes" / "own"
    own.mkdir()
    (own / "kustomization.yaml").write_text(
        "resources: [../overlays/scaled]\ncomponents: [../components/scale-to-zero]\n"
    )
    manifests = kustomized(own)
    assert not [each for each in manifests if each["kind"] == "HorizontalPodAutoscaler"]
    (scaled,) = (each for each in manifests if each["kind"] == "ScaledObject")
    assert scaled["spec"]["minReplicaCount"] == 0
    asked, _ = (one["metadata"]["query"] for one in scaled["spec"]["triggers"])
    pattern = re.search(r'route=~"([^"]+)"', asked)[1]
    for route in ("v1/search", "v2/search", "v2/compare", "v2/describe"):
        assert re.fullmatch(pattern, f"/api/{route}")
    (service,) = (
        each
        for each in manifests
        if each["kind"] == "Service" and each["metadata"]["name"] == "lookalike"
    )
    assert service["spec"]["publishNotReadyAddresses"] is True


PLANTED = {
    "Additional properties": lambda m: m["StatefulSet"]["spec"].update(replica=1),
    "is not of type": lambda m: m["StatefulSet"]["spec"].update(replicas="one"),
    "no pod has": lambda m: m["Service"]["spec"]["selector"].update(x="y"),
    "there is no other": lambda m: m["HorizontalPodAutoscaler"]["spec"]["scaleTargetRef"].update(
        name="other"
    ),
    "no network policy": lambda m: m["NetworkPolicy"]["spec"].update(ingress=[]),
    "enableServiceLinks": lambda m: _spec(m).pop("enableServiceLinks"),
    "runAsNonRoot": lambda m: _spec(m)["securityContext"].pop("runAsNonRoot"),
    "capabilities": lambda m: _container(m)["securityContext"].pop("capabilities"),
    "liveness": lambda m: _container(m)["livenessProbe"]["httpGet"].update(path="/readyz"),
    "asks port web": lambda m: _container(m)["startupProbe"]["httpGet"].update(port="web"),
    "port http is 80": lambda m: _container(m)["ports"][0].update(containerPort=80),
    "LOOKALIKE_PROT is not": lambda m: _container(m).update(
        env=[{"name": "LOOKALIKE_PROT", "value": "1"}]
    ),
    "limits": lambda m: _container(m)["resources"].pop("limits"),
}


def _spec(manifests):
    return manifests["StatefulSet"]["spec"]["template"]["spec"]


def _container(manifests):
    return _spec(manifests)["containers"][0]


@pytest.mark.parametrize("message", PLANTED)
def test_a_planted_error_is_found(message):
    manifests = copy.deepcopy(kustomized(FOLDER / "overlays/scaled"))
    # The last of each kind: of the service, whose name comes after the embedder's.
    PLANTED[message]({each["kind"]: each for each in manifests})

    assert any(re.search(message, line) for line in problems(manifests)), problems(manifests)
