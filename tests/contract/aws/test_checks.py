"""What is wrong with a table of type aws-secrets-manager is said before anything starts, with the key and the fix."""

from __future__ import annotations

import pytest

from backends.aws_secrets_manager import plugin
from backends.aws_secrets_manager.options import SecretsManagerOptions
from broker.options import HttpUrl

ROLE = "arn:aws:iam::123456789012:role/ci/token-broker"
ELSEWHERE: HttpUrl = "https://vpce-1.secretsmanager.eu-west-1.vpce.amazonaws.com"


def faults(*, region: str | None = "eu-west-1", **options: object) -> list[str]:
    """Answer what the plug-in says about a table."""
    return [str(fault) for fault in plugin.check(SecretsManagerOptions(region=region, **options))]  # type: ignore[arg-type] # a table of tests


def test_missing_region_is_explained() -> None:
    """With the key, an example, and the reason why AWS_REGION did not help."""
    why = "required: the AWS region that holds the secrets, such as"
    assert [f'region: {why} "eu-west-1"; AWS_REGION and profiles have no effect'] == faults(region=None)


@pytest.mark.parametrize("region", ["", "europe", "EU-WEST-1", "eu-west-1 ", "eu-west-1\n"])
def test_what_is_no_region_is_refused(region: str) -> None:
    """A region is part of host names."""
    assert ['region: not the name of an AWS region, such as "eu-west-1"'] == faults(region=region)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"region": "us-gov-west-1", "use_fips": True, "use_dualstack": True},
        {"region": "cn-north-1", "role_arn": "arn:aws-cn:iam::123456789012:role/r"},
        {"profile": "ci", "role_arn": ROLE, "external_id": "acme:7"},
        {"endpoint_url": ELSEWHERE, "role_arn": ROLE},
    ],
)
def test_sensible_table_has_no_faults(options: dict[str, object]) -> None:
    """Partitions, and keys that go together."""
    assert [] == faults(**options)  # type: ignore[arg-type] # a table of tests


@pytest.mark.parametrize(
    "arn",
    [
        "",
        "token-broker",
        "arn:aws:iam::123456789012:user/token-broker",
        "arn:aws:iam::12345:role/token-broker",
        "arn:aws:sts::123456789012:assumed-role/token-broker/x",
        f"{ROLE}\n",
    ],
)
def test_what_is_no_role_is_refused(arn: str) -> None:
    """A role's name alone is what people write first."""
    example = '"arn:aws:iam::123456789012:role/token-broker"'
    assert [f"role_arn: must be the whole ARN of a role, such as {example}"] == faults(role_arn=arn)


def test_keys_without_effect_are_told() -> None:
    """An external id without a role, and endpoints chosen twice (R-110)."""
    why = "chooses among the region's own endpoints, and endpoint_url names another: take one of the two out"
    assert [
        "external_id: has no effect without role_arn: add that, or take this out",
        f"use_fips: {why}",
        f"use_dualstack: {why}",
    ] == faults(external_id="acme", endpoint_url=ELSEWHERE, use_fips=True, use_dualstack=True)


@pytest.mark.parametrize("external_id", ["", "a", "a b", "é" * 3, "a" * 1225])
def test_external_id_that_aws_would_refuse_is_refused(external_id: str) -> None:
    """Its characters are AWS's."""
    assert ["external_id: must be 2 to 1224 letters, digits or any of _+=,.@:/-"] == faults(
        role_arn=ROLE, external_id=external_id
    )


def test_empty_profile_is_refused() -> None:
    """It would mean the default one, silently."""
    assert ["profile: must be the name of a profile; leave it out to use none"] == faults(profile=" ")
