"""Method aws on HashiCorp Vault's own code for it, as a plugin in OpenBao; only AWS's STS is a stub (R-101)."""

from __future__ import annotations

from pathlib import Path

import pytest

from broker.api import SecretBackendUnavailable
from tests.backends_vault.aws_method import ARN, running_vault_with_aws
from tests.backends_vault.broker_side import BrokerSide
from tests.backends_vault.readable import SECRET, readable
from tests.backends_vault.signature_judge import SignatureJudge

KEY_ID, KEY = "AKIDEXAMPLE", "S3CR3T-aws-secret-key"
SERVER_ID = "vault.example"


@pytest.mark.backends
@pytest.mark.soak
@pytest.mark.parametrize(
    ("region", "host"),
    [("eu-central-1", "sts.eu-central-1.amazonaws.com"), ("us-east-1", "sts.amazonaws.com")],
)
def test_vault_takes_the_login_and_sts_the_signature(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest, region: str, host: str
) -> None:
    """Login, read, renewal; a login that was signed for another Vault is refused before STS is asked."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY_ID)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", KEY)
    judge = SignatureJudge({KEY_ID: KEY}, host=host, region=region, server_id=SERVER_ID)
    with running_vault_with_aws(tmp_path, judge) as (openbao, sts):
        found = readable(openbao, request)
        role = {
            "auth_type": "iam",
            "bound_iam_principal_arn": ARN,
            "resolve_aws_unique_ids": False,
            "token_policies": [found.policy],
            "token_ttl": "1h",
        }
        openbao.request("POST", "auth/aws/role/deploy", role)

        def broker_of(server_id: str) -> BrokerSide:
            auth = {"method": "aws", "role": "deploy", "region": region, "server_id_header": server_id}
            return BrokerSide({"url": openbao.url, "allow_insecure_loopback": True, "auth": auth})

        broker = broker_of(SERVER_ID)
        assert SECRET == broker.read(found.path)
        broker.ahead_seconds += 2500
        assert (SECRET, ["success"]) == (broker.read(found.path), broker.logins)
        asked = len(sts.verdicts)
        with pytest.raises(SecretBackendUnavailable, match=r"login refused at auth/aws \(status 400\)"):
            broker_of("other.example").read(found.path)
        assert {(host, "accepted")} == set(sts.verdicts)
        assert asked == len(sts.verdicts)
