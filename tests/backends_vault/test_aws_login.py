"""Method aws: a server that judges the signature by itself stands in for Vault's aws method and STS (R-101)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from broker.api import SecretBackendUnavailable
from tests.backends_vault.broker_side import BrokerSide, put_file
from tests.backends_vault.signature_judge import SignatureJudge, example_of_the_specification
from tests.contract.fault_server import FaultServer, Reply, running_fault_server

KEY_ID, KEY = "AKIDEXAMPLE", "S3CR3T-aws-secret-key"
SESSION_TOKEN = "S3CR3T-session-token"
SERVER_ID = "vault.example"


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing of AWS but what a test sets; the metadata service of a cloud is not asked."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch, environment: None) -> None:
    """Credentials in the environment, as a test or a CI job has them."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY_ID)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", KEY)


def judge(region: str, host: str = "", **more: Any) -> SignatureJudge:
    """Answer one that knows our key."""
    return SignatureJudge({KEY_ID: KEY}, host=host or f"sts.{region}.amazonaws.com", region=region, **more)


def broker_of(server: FaultServer, region: str, **auth: str) -> BrokerSide:
    """Answer a backend that logs in by method aws."""
    method = {"method": "aws", "role": "deploy", "region": region, **auth}
    return BrokerSide({"url": server.url, "allow_insecure_loopback": True, "auth": method})


@contextmanager
def judged(judge: SignatureJudge, **auth: str) -> Iterator[BrokerSide]:
    """A backend whose logins this judge sees."""
    with running_fault_server(judge) as server:
        yield broker_of(server, judge.region, **auth)


def refused(broker: BrokerSide) -> str:
    """Read in vain; answer the message."""
    with pytest.raises(SecretBackendUnavailable) as caught:
        broker.read("odc")
    return caught.value.message


def test_the_judge_knows_the_published_example() -> None:
    """Or its verdicts would be worth nothing."""
    example = example_of_the_specification()
    assert example["published"] == example["derived"]


@pytest.mark.parametrize(
    ("region", "host"),
    [
        ("us-east-1", "sts.amazonaws.com"),
        ("eu-central-1", "sts.eu-central-1.amazonaws.com"),
        ("cn-north-1", "sts.cn-north-1.amazonaws.com.cn"),
        ("us-gov-west-1", "sts.us-gov-west-1.amazonaws.com"),
    ],
)
@pytest.mark.usefixtures("keys")
def test_signature_is_good_in_the_region_that_is_configured(region: str, host: str) -> None:
    """R-101: host, scope and signature are the region's own; us-east-1 has the endpoint that Vault asks by default."""
    right = judge(region, host)
    with judged(right) as broker:
        assert "S3CR3T-behind-aws" == broker.read("odc")
    assert (["accepted"], ["success"]) == (right.verdicts, broker.logins)


@pytest.mark.usefixtures("keys")
def test_server_id_is_sent_and_signed() -> None:
    """R-101: a login for one Vault is of no use at another."""
    right, other = (
        judge("eu-central-1", server_id=SERVER_ID),
        judge("eu-central-1", server_id="other.example"),
    )
    with judged(right, server_id_header=SERVER_ID) as broker:
        assert "S3CR3T-behind-aws" == broker.read("odc")
    with judged(other, server_id_header=SERVER_ID) as broker:
        assert "server_id_header what the mount expects" in refused(broker)
    assert ["server id: 'vault.example', not 'other.example'"] == other.verdicts


@pytest.mark.usefixtures("keys")
def test_temporary_credentials_bring_their_session_token(monkeypatch: pytest.MonkeyPatch) -> None:
    """Signed as well."""
    monkeypatch.setenv("AWS_SESSION_TOKEN", SESSION_TOKEN)
    right = judge("eu-central-1", session_token=SESSION_TOKEN)
    with judged(right) as broker:
        assert "S3CR3T-behind-aws" == broker.read("odc")
    assert ["accepted"] == right.verdicts


@pytest.mark.usefixtures("keys")
def test_wrong_key_is_refused_with_what_to_check() -> None:
    """The judge can say no, and the message names what an operator sets."""
    with judged(
        SignatureJudge({KEY_ID: "another"}, host="sts.eu-west-1.amazonaws.com", region="eu-west-1")
    ) as broker:
        message = refused(broker)
    assert "login refused at auth/aws (status 400): is our AWS identity bound to role deploy" in message
    assert "sts_endpoint that of eu-west-1" in message


@pytest.mark.usefixtures("keys")
def test_secret_key_is_never_sent() -> None:
    """Only what it signed is."""
    with running_fault_server(judge("eu-west-1")) as server:
        broker_of(server, "eu-west-1").read("odc")
        assert not any(KEY.encode() in asked.body for asked in server.ledger)


def test_without_credentials_nothing_is_sent() -> None:
    """And the sources are named."""
    with running_fault_server(judge("eu-west-1")) as server:
        message = refused(broker_of(server, "eu-west-1"))
        assert [] == server.ledger
    assert "needs AWS credentials: none are set: give keys, a web identity or a container role" in message


@pytest.mark.usefixtures("keys")
def test_region_that_aws_does_not_have_is_named() -> None:
    """It has the shape of one, so only botocore's list can tell."""
    with judged(judge("xx-nowhere-1")) as broker:
        assert "auth.region: AWS has no region xx-nowhere-1" in refused(broker)


POISONED_LOGIN = """
import json, logging, sys
import msgspec
import backends.vault
from broker.api import PluginContext
logging.basicConfig(level=logging.DEBUG)
options = msgspec.convert(json.loads(sys.argv[1]), backends.vault.plugin.options)
backend = backends.vault.plugin.create(options, PluginContext(name="corp", observer=lambda event: None))
print(sorted(backend.read("odc", timeout_seconds=20).fields))
print([name for name in ("boto3", "botocore") if name in sys.modules])
"""


def program(table: dict[str, Any], **environment: str) -> tuple[str, str]:
    """Read in a process of its own with the root logger at DEBUG; answer its two streams."""
    finished = subprocess.run(
        [sys.executable, "-c", POISONED_LOGIN, json.dumps(table)],
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
            "HOME": os.environ["HOME"],
            "AWS_EC2_METADATA_DISABLED": "true",
            **environment,
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return finished.stdout, finished.stderr


@pytest.mark.usefixtures("keys")
def test_credentials_are_looked_for_at_each_login(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """R-101: one snapshot for each; replaced ones in ~/.aws are used by the next."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    file = tmp_path / ".aws" / "credentials"
    file.parent.mkdir()
    right = judge("eu-central-1")
    with judged(right) as broker:
        for key in ("S3CR3T-old-key", KEY):
            file.write_text(f"[default]\naws_access_key_id = {KEY_ID}\naws_secret_access_key = {key}\n")
            if key != KEY:
                refused(broker)
            broker.ahead_seconds += 300
        assert "S3CR3T-behind-aws" == broker.read("odc")
    assert ["signature", "accepted"] == right.verdicts


def test_source_of_credentials_that_fails_is_told_without_its_words(tmp_path: Path) -> None:
    """A file that is none, for instance; its text may hold a key."""
    file = tmp_path / ".aws" / "credentials"
    file.parent.mkdir()
    file.write_text("[default\nS3CR3T-not-a-file\n")
    with judged(judge("eu-central-1")) as broker:
        message = refused(broker)
    assert "needs AWS credentials: their source failed (ConfigParseError)" in message


def test_only_credentials_come_from_the_environment_and_botocore_only_for_this_method(tmp_path: Path) -> None:
    """Regions, endpoints, profiles and proxies of the environment change nothing, and nothing is logged at DEBUG."""
    right = judge("eu-central-1")
    with running_fault_server(right) as server, running_fault_server(lambda _: Reply(500)) as poison:
        auth = {"method": "aws", "role": "deploy", "region": "eu-central-1"}
        table = {"url": server.url, "allow_insecure_loopback": True, "auth": auth}
        poisoned = dict.fromkeys(
            ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_STS"), poison.url
        )
        printed, logged = program(
            table,
            AWS_ACCESS_KEY_ID=KEY_ID,
            AWS_SECRET_ACCESS_KEY=KEY,
            AWS_REGION="us-poison-1",
            AWS_DEFAULT_REGION="us-poison-1",
            AWS_PROFILE="poison",
            AWS_STS_REGIONAL_ENDPOINTS="legacy",
            **poisoned,
        )
        assert ("['client_secret']\n['botocore']\n", []) == (printed, poison.ledger)
    assert ["accepted"] == right.verdicts
    assert "S3CR3T-" not in logged


def test_other_logins_load_nothing_of_aws(tmp_path: Path) -> None:
    """The import budget of a daemon with Vault alone, after a read and not only at the start."""
    jwt = put_file(tmp_path / "jwt", "S3CR3T-jwt")
    granted = {"client_token": "S3CR3T-t", "lease_duration": 60, "renewable": True}
    secret = {"data": {"client_secret": "S3CR3T-value"}, "metadata": {"version": 1}}
    with running_fault_server(lambda _: Reply(body={"auth": granted, "data": secret})) as server:
        auth = {"method": "jwt", "role": "deploy", "jwt_file": jwt}
        printed, logged = program({"url": server.url, "allow_insecure_loopback": True, "auth": auth})
    assert ("['client_secret']\n[]\n", False) == (printed, "S3CR3T-" in logged)
