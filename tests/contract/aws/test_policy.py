"""The shipped IAM policy allows what the backend asks for, on the secrets that it names, and nothing else."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import suppress
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest

from broker.api import SecretBackendError
from tests.contract.aws.imitation import PATIENCE_SECONDS, backend
from tests.contract.aws.store import Store
from tests.contract.fault_server import running_fault_server
from tests.servers.moto import Moto

EXAMPLES = Path(__file__).parents[3] / "systemd" / "examples"
POLICY = json.loads((EXAMPLES / "aws-iam-policy.json").read_text())
SECRET = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:"


def listed(value: str | list[str]) -> list[str]:
    """Answer a list: the grammar allows one word for a list of one."""
    return [value] if isinstance(value, str) else value


def grants() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Answer each action with each resource, and the statement that says so."""
    for statement in POLICY["Statement"]:
        for action in listed(statement["Action"]):
            for resource in listed(statement["Resource"]):
                yield action, resource, statement


def allowed(action: str, resource: str) -> bool:
    """Whether IAM would: * and ? are its wildcards, and brackets are none."""
    return any(
        granted == action and fnmatchcase(resource, pattern.replace("[", "[[]"))
        for granted, pattern, _ in grants()
    )


@pytest.mark.usefixtures("aws_keys")
def test_actions_are_those_that_are_called() -> None:
    """Seen at a server that is asked for everything; KMS is asked by Secrets Manager, in our name."""
    store = Store()
    with running_fault_server(store) as server:
        aws = backend(server.url)
        with suppress(SecretBackendError):
            aws.read("odc", timeout_seconds=PATIENCE_SECONDS)
        with suppress(SecretBackendError):
            aws.version("odc", timeout_seconds=PATIENCE_SECONDS)
        aws.read_many(["odc", "other"], timeout_seconds=PATIENCE_SECONDS)
    called = {f"secretsmanager:{action}" for action in store.asked}
    assert {*called, "kms:Decrypt"} == {action for action, _, _ in grants()}


def test_wildcards_are_where_they_must_be() -> None:
    """No action has one; a resource has one where AWS knows no narrower one; the end of an ARN is random."""
    for action, resource, _ in grants():
        assert not set("*?") & set(action)
        if action == "secretsmanager:BatchGetSecretValue":
            assert "*" == resource
        else:
            assert "*" not in resource
            assert re.fullmatch(r"[^?]+(-\?{6})?", resource)


def test_key_is_used_through_secrets_manager_only() -> None:
    """What else is encrypted under it is none of our business."""
    [statement] = [statement for action, _, statement in grants() if action == "kms:Decrypt"]
    assert {"StringEquals": {"kms:ViaService": "secretsmanager.eu-west-1.amazonaws.com"}} == statement[
        "Condition"
    ]


@pytest.mark.parametrize(
    ("name", "readable"),
    [
        ("odc/deploy-a1B2c3", True),
        ("odc/deploy-admin-a1B2c3", False),
        ("odc/deploy", False),
        ("odc/other-a1B2c3", False),
        ("other/odc/deploy-a1B2c3", False),
    ],
)
def test_neighbours_of_the_secret_are_not_readable(name: str, readable: bool) -> None:  # noqa: FBT001 - a column
    """A batch gives nothing that a read by itself would not."""
    for action in ("GetSecretValue", "DescribeSecret"):
        assert readable == allowed(f"secretsmanager:{action}", SECRET + name)
    for action in ("PutSecretValue", "UpdateSecretVersionStage", "ListSecrets", "GetResourcePolicy"):
        assert not allowed(f"secretsmanager:{action}", SECRET + name)


def test_policies_are_grammatical(moto: Moto) -> None:
    """Moto judges no rights, but it reads a policy as IAM does."""
    iam = moto.client("iam")
    text = (EXAMPLES / "aws-iam-policy.json").read_text()
    iam.create_policy(PolicyName="grammar", PolicyDocument=text)
    with pytest.raises(iam.exceptions.MalformedPolicyDocumentException):
        iam.create_policy(PolicyName="spoiled", PolicyDocument=text.replace('"Effect"', '"Affect"', 1))
    trust = (EXAMPLES / "aws-trust-policy.json").read_text()
    assert {"sts:AssumeRole"} == {statement["Action"] for statement in json.loads(trust)["Statement"]}
    iam.create_role(RoleName="grammar", AssumeRolePolicyDocument=trust)
