"""The Helm chart: it lints, renders, refuses what it does not know, and its pod is a restricted one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

import broker
from tests.kubernetes_programs import helm
from tests.packaging.project import BIN, ROOT, run

CHART = ROOT / "helm/token-broker"
EXAMPLE = ("--values", CHART / "ci/example-values.yaml")


@pytest.fixture(scope="module")
def program() -> Path:
    """The pinned helm."""
    return helm()


def template(program: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Render the chart as release "tb"."""
    return run(program, "template", "tb", CHART, *arguments)


def rendered(program: Path, *arguments: str | Path) -> dict[str, Any]:
    """Answer the rendered objects by kind."""
    result = template(program, *arguments)
    assert result.returncode == 0, result.stderr
    return {document["kind"]: document for document in yaml.safe_load_all(result.stdout)}


def pod(objects: dict[str, Any]) -> dict[str, Any]:
    """Answer the pod that the deployment makes."""
    spec: dict[str, Any] = objects["Deployment"]["spec"]["template"]["spec"]
    return spec


@pytest.mark.parametrize("values", [pytest.param((), id="defaults"), pytest.param(EXAMPLE, id="example")])
def test_chart_lints(program: Path, values: tuple[str | Path, ...]) -> None:
    """`helm lint --strict` has nothing to say, with the defaults and with the example's values."""
    result = run(program, "lint", "--strict", CHART, *values)
    assert 0 == result.returncode, result.stdout + result.stderr


def test_chart_renders_its_objects(program: Path) -> None:
    """A deployment, its configuration, the service for metrics and a service account, and nothing else."""
    assert {"Deployment", "ConfigMap", "Service", "ServiceAccount"} == set(rendered(program))


def test_chart_and_program_have_one_version(program: Path) -> None:
    """The default image tag is the version of the program that the chart was written for."""
    container = pod(rendered(program))["containers"][0]
    assert f"token-broker:{broker.__version__}" == container["image"]


def test_digest_wins_over_tag(program: Path) -> None:
    """A digest names the image whatever the tag says."""
    digest = "sha256:" + "0" * 64
    arguments = ("--set", f"image.digest={digest}", "--set", "image.tag=latest")
    assert f"token-broker@{digest}" == pod(rendered(program, *arguments))["containers"][0]["image"]


@pytest.mark.parametrize(
    ("setting", "complaint"),
    [
        pytest.param("imagee.tag=1", "imagee", id="unknown-key"),
        pytest.param("image.tagg=1", "tagg", id="unknown-key-below"),
        pytest.param("replicaCount=many", "replicaCount", id="wrong-type"),
        pytest.param("image.digest=sha256:12", "digest", id="short-digest"),
        pytest.param("ops.port=80", "port", id="privileged-port"),
    ],
)
def test_chart_refuses_wrong_values(program: Path, setting: str, complaint: str) -> None:
    """A misspelt or impossible value fails the render and is named."""
    result = template(program, "--set", setting)
    assert 0 != result.returncode
    assert complaint in result.stderr


def test_pod_is_restricted(program: Path) -> None:
    """R-163: the pod passes the restricted Pod Security Standard, with a read-only root and no API token."""
    spec = pod(rendered(program, *EXAMPLE))
    container = spec["containers"][0]
    assert spec["automountServiceAccountToken"] is False
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert {"type": "RuntimeDefault"} == spec["securityContext"]["seccompProfile"]
    assert {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    } == container["securityContext"]
    assert not {"hostNetwork", "hostPID", "hostIPC"} & set(spec)
    assert set() == {kind for volume in spec["volumes"] for kind in volume} - {
        "name",
        "emptyDir",
        "configMap",
        "secret",
    }


def test_tokens_are_in_memory_only(program: Path) -> None:
    """What the broker writes goes to volumes of memory, bounded in size."""
    volumes = {volume["name"]: volume for volume in pod(rendered(program))["volumes"]}
    for name in ("runtime", "state"):
        assert {"medium": "Memory", "sizeLimit": "16Mi"} == volumes[name]["emptyDir"]


def test_sidecar_and_secret_reach_the_pod(program: Path) -> None:
    """The example's container shares the pod, and its Secret is mounted for the broker alone."""
    spec = pod(rendered(program, *EXAMPLE))
    mounts = {container["name"]: container["volumeMounts"] for container in spec["containers"]}
    secrets = [mount["mountPath"] for mount in mounts["token-broker"] if mount["name"].startswith("secret-")]
    assert ["/etc/token-broker/secrets/deploy"] == secrets
    assert ["/run/token-broker"] == [mount["mountPath"] for mount in mounts["app"]]


def test_probes_ask_liveness_and_readiness(program: Path) -> None:
    """R-150: the kubelet restarts on /livez alone, and asks by a name that the ops listener answers to."""
    container = pod(rendered(program))["containers"][0]
    for probe, path in (("livenessProbe", "/livez"), ("readinessProbe", "/readyz")):
        request = container[probe]["httpGet"]
        assert path == request["path"]
        assert [{"name": "Host", "value": "localhost"}] == request["httpHeaders"]


def test_changed_configuration_is_a_new_pod(program: Path) -> None:
    """The configuration's checksum is an annotation of the pod."""
    sums = {
        rendered(program, "--set", f"ops.port={port}")["Deployment"]["spec"]["template"]["metadata"][
            "annotations"
        ]["checksum/config"]
        for port in (9464, 9465)
    }
    assert 2 == len(sums)


def test_configuration_of_the_example_is_valid(program: Path, tmp_path: Path) -> None:
    """What the chart puts into the ConfigMap passes the broker's own check, save for what only a pod has."""
    config = tmp_path / "config.yaml"
    config.write_text(rendered(program, *EXAMPLE)["ConfigMap"]["data"]["config.yaml"])
    result = run(sys.executable, "-I", BIN / "token-broker", "check", "--config", config)
    told = [line for line in result.stderr.splitlines() if not line.startswith("note: ")]
    assert ["secret_backends.local.directory: no such directory: /etc/token-broker/secrets"] == told
