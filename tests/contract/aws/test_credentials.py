"""Where the AWS backend's own credentials come from, and what is said when they do not."""

from __future__ import annotations

from pathlib import Path

import botocore.session
import pytest

from backends.aws_secrets_manager.credentials import chain
from broker.api import SecretBackendUnavailable
from tests.contract.aws.imitation import ROLE, Aws, backend, read, trouble
from tests.contract.fault_server import Asked, FaultServer, Reply, running_fault_server
from tests.servers.moto import REGION
from tests.waiting import eventually

KEYS = "aws_access_key_id = PROFILE\naws_secret_access_key = S3CR3T-profile\n"


def test_container_is_asked_with_a_token_from_a_file(
    aws: Aws, aws_server: FaultServer, aws_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R-109: read again for each renewal; a file that the broker publishes in the raw format is one."""
    (aws_home / "published").write_text("S3CR3T-published")
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{aws_server.url}/credentials")
    monkeypatch.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", str(aws_home / "published"))
    broker = backend(aws_server.url)
    read(broker)
    broker.close()
    (aws_home / "published").write_text("S3CR3T-renewed")
    read(broker)
    assert (["S3CR3T-published", "S3CR3T-renewed"], ["CONTAINER1", "CONTAINER2"]) == (
        aws.containers,
        aws.readers,
    )


@pytest.mark.parametrize("content", ["S3CR3T-two\nlines", None])
def test_token_file_that_cannot_be_a_header_is_told(
    aws: Aws, aws_server: FaultServer, aws_home: Path, monkeypatch: pytest.MonkeyPatch, content: str | None
) -> None:
    """With the variable that names it; nobody is asked."""
    if content is not None:
        (aws_home / "published").write_text(content)
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{aws_server.url}/credentials")
    monkeypatch.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", str(aws_home / "published"))
    assert "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE" in trouble(aws_server).message
    assert ([], []) == (aws.containers, aws.readers)


@pytest.mark.parametrize("reply", [Reply(500, b"S3CR3T-page"), Reply(200, b"S3CR3T-page"), Reply(200, {})])
def test_container_endpoint_that_fails_is_asked_once(
    aws: Aws, aws_server: FaultServer, monkeypatch: pytest.MonkeyPatch, reply: Reply
) -> None:
    """Botocore would ask three times, a second apart (R-059)."""
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{aws_server.url}/credentials")
    aws.container_refuses = reply
    error = trouble(aws_server)
    assert ("no_credentials", 1, []) == (error.code, len(aws.containers), aws.readers)
    assert "the source of AWS credentials" in error.message


def test_expired_credentials_of_a_source_are_told(
    aws: Aws, aws_server: FaultServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are what a wrong clock looks like from here."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "ENVIRONMENT")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "S3CR3T-environment")
    monkeypatch.setenv("AWS_CREDENTIAL_EXPIRATION", "2020-01-01T00:00:00Z")
    assert "gives expired ones: is the clock of this machine right?" in trouble(aws_server).message


@pytest.mark.usefixtures("aws_keys")
def test_profile_goes_before_keys_of_the_environment(
    aws: Aws, aws_server: FaultServer, aws_home: Path
) -> None:
    """It is the configuration that says so."""
    (aws_home / ".aws" / "credentials").write_text(
        f"[default]\naws_access_key_id = DEFAULT\naws_secret_access_key = S3CR3T-default\n[ci]\n{KEYS}"
    )
    read(backend(aws_server.url, profile="ci"))
    assert ["PROFILE"] == aws.readers


def test_profile_may_assume_a_role(aws: Aws, aws_server: FaultServer, aws_home: Path) -> None:
    """As in every tool that reads ~/.aws; and `role_arn` goes on from there."""
    (aws_home / ".aws" / "config").write_text(
        f"[profile base]\naws_access_key_id = BASE\naws_secret_access_key = S3CR3T-base\n"
        f"[profile ci]\nrole_arn = {ROLE}-profile\nsource_profile = base\nregion = us-poison-1\n"
    )
    read(backend(aws_server.url, profile="ci", role_arn=ROLE))
    assert [("BASE", f"{ROLE}-profile"), ("ROLE1", ROLE)] == [
        (role["key_id"], role["RoleArn"]) for role in aws.roles
    ]


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ("", "there is no profile 'ci' in ~/.aws/config or ~/.aws/credentials"),
        ("[profile ci]\nregion = eu-west-1\n", "profile 'ci' of ~/.aws gives no AWS credentials"),
        (
            f"[profile ci]\nrole_arn = {ROLE}\nsource_profile = x\n",
            "profile 'ci' of ~/.aws is incomplete or not valid",
        ),
        (
            f"[profile ci]\nrole_arn = {ROLE}\nsource_profile = ci\n{KEYS}mfa_serial = arn:aws:iam::1:mfa/somebody\n",
            "profile 'ci' of ~/.aws asks a person for a code",
        ),
    ],
)
def test_profile_that_does_not_work_is_told_as_that(
    aws: Aws, aws_server: FaultServer, aws_home: Path, config: str, words: str
) -> None:
    """Nobody is asked, a person at the terminal least of all."""
    (aws_home / ".aws" / "config").write_text(config)
    assert words in trouble(aws_server, profile="ci").message
    assert ([], []) == (aws.roles, aws.readers)


def test_credentials_that_come_late_are_found(aws: Aws, aws_server: FaultServer, aws_home: Path) -> None:
    """A source that is not there at boot is asked again: botocore by itself remembers having found none (F-29)."""
    broker = backend(aws_server.url)
    with pytest.raises(SecretBackendUnavailable, match="no AWS credentials"):
        read(broker)
    (aws_home / ".aws" / "credentials").write_text(
        "[default]\naws_access_key_id = LATE\naws_secret_access_key = S3CR3T-late\n"
    )

    def found() -> bool:
        try:
            return bool(read(broker))
        except SecretBackendUnavailable:
            return False

    eventually(found, what="credentials")
    assert ["LATE"] == aws.readers


def test_waiting_calls_share_one_fruitless_look_for_credentials(
    aws: Aws, aws_server: FaultServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Within a second: a metadata service that hangs must not be waited for once a token."""
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{aws_server.url}/credentials")
    aws.container_refuses = Reply(500)
    broker = backend(aws_server.url)
    for _ in range(20):
        with pytest.raises(SecretBackendUnavailable, match="the source of AWS credentials failed"):
            read(broker)
    assert len(aws.containers) < 20


def test_metadata_service_is_asked_by_its_second_protocol(
    aws_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A token first, then role and keys; one that is down is asked once by each and gives no credentials."""
    monkeypatch.delenv("AWS_EC2_METADATA_DISABLED")
    answers = {
        "/latest/api/token": Reply(200, b"S3CR3T-imds"),
        "/latest/meta-data/iam/security-credentials/": Reply(200, b"worker"),
        "/latest/meta-data/iam/security-credentials/worker": Reply(
            body={
                "AccessKeyId": "INSTANCE",
                "SecretAccessKey": "S3CR3T-instance",
                "Token": "S3CR3T-session",
                "Expiration": "2099-01-01T00:00:00Z",
            }
        ),
    }

    def script(asked: Asked) -> Reply:
        return answers[asked.path] if up else Reply(503)

    up = False
    with running_fault_server(script) as imds:
        source = chain(botocore.session.Session(), REGION).get_provider("iam-role")
        source._role_fetcher._base_url = f"{imds.url}/"
        assert None is source.load()
        assert ["PUT", "GET"] == [asked.method for asked in imds.ledger]
        up = True
        assert "INSTANCE" == source.load().get_frozen_credentials().access_key
        assert ["PUT", "GET", "GET"] == [asked.method for asked in imds.ledger[2:]]
        assert "S3CR3T-imds" == imds.ledger[-1].headers["x-aws-ec2-metadata-token"]
