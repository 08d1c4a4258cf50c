"""The AWS backend assumes a role: with whom, how often, until when, and what is said when it may not."""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest

from broker.api import SecretAccessDenied, SecretBackendError, SecretBackendUnavailable
from tests.contract.aws.imitation import (
    PATIENCE_SECONDS,
    ROLE,
    Aws,
    backend,
    read,
    refused,
    sts_refused,
    trouble,
)
from tests.contract.fault_server import FaultServer, Reply
from tests.servers.moto import Moto


@pytest.mark.usefixtures("aws_keys")
def test_role_is_assumed_once_with_the_credentials_that_are_found(aws: Aws, aws_server: FaultServer) -> None:
    """With the external id, and under our name in the audit trail; its keys sign all reads."""
    broker = backend(aws_server.url, role_arn=ROLE, external_id="acme:7")
    assert ["S3CR3T-value"] * 3 == [read(broker) for _ in range(3)]
    [role] = aws.roles
    assert {
        "Action": "AssumeRole",
        "Version": "2011-06-15",
        "RoleArn": ROLE,
        "ExternalId": "acme:7",
        "RoleSessionName": "token-broker",
        "key_id": "ENVIRONMENT",
    } == role
    assert ["ROLE1"] * 3 == aws.readers


@pytest.mark.usefixtures("aws_keys")
def test_sixty_four_threads_share_one_session(aws: Aws, aws_server: FaultServer) -> None:
    """R-108: making one is not safe in two threads at once, so it is made once, and the role assumed once."""
    broker = backend(aws_server.url, role_arn=ROLE)
    with ThreadPoolExecutor(64) as threads:
        assert ["S3CR3T-value"] * 128 == list(threads.map(lambda _: read(broker), range(128)))
    assert (1, ["ROLE1"] * 128) == (len(aws.roles), aws.readers)


@pytest.mark.usefixtures("aws_keys")
def test_role_is_assumed_again_before_it_expires(aws: Aws, aws_server: FaultServer) -> None:
    """R-108: inside its last fifteen minutes each call renews it, in the session itself."""
    aws.life = timedelta(minutes=14)
    broker = backend(aws_server.url, role_arn=ROLE)
    read(broker)
    short_lived = len(aws.roles)
    aws.life = timedelta(hours=1)
    for _ in range(3):
        read(broker)
    assert ([f"ROLE{short_lived + 1}"] * 3, short_lived + 1) == (aws.readers[1:], len(aws.roles))


@pytest.mark.usefixtures("aws_keys")
def test_old_role_serves_while_it_cannot_be_renewed(aws: Aws, aws_server: FaultServer) -> None:
    """Until ten minutes before its end STS may be away."""
    aws.life = timedelta(minutes=14)
    broker = backend(aws_server.url, role_arn=ROLE)
    read(broker)
    assumed = len(aws.roles)
    aws.sts_refuses = sts_refused("InternalFailure", 500)
    read(broker)
    assert [f"ROLE{assumed}"] * 2 == aws.readers
    assert len(aws.roles) > assumed


@pytest.mark.usefixtures("aws_keys")
@pytest.mark.parametrize(
    ("reply", "told", "words"),
    [
        (
            sts_refused("AccessDenied"),
            SecretAccessDenied,
            f"role_denied: we may not assume {ROLE}: are we allowed",
        ),
        (sts_refused("ExpiredToken"), SecretBackendUnavailable, "login_refused: are they expired"),
        (sts_refused("InvalidClientTokenId"), SecretBackendUnavailable, "login_refused: right account"),
        (sts_refused("Throttling", 400), SecretBackendUnavailable, "throttled: asks for a pause"),
        (sts_refused("RequestExpired", 400), SecretBackendUnavailable, "clock: the clock of this machine"),
        (sts_refused("InternalFailure", 500), SecretBackendUnavailable, "unavailable: status 500"),
        (
            Reply(200, b"<html>S3CR3T-page</html>"),
            SecretBackendUnavailable,
            "no_credentials: source of AWS",
        ),
    ],
)
def test_refused_role_is_told_as_that_after_one_attempt(
    aws: Aws, aws_server: FaultServer, reply: Reply, told: type[SecretBackendError], words: str
) -> None:
    """Not as a missing right on the secret, and without what STS wrote (R-059, F-29)."""
    aws.sts_refuses = reply
    error = trouble(aws_server, role_arn=ROLE)
    assert (told, 1, []) == (type(error), len(aws.roles), aws.readers)
    code, _, said = words.partition(": ")
    assert code == error.code
    assert said in error.message


@pytest.mark.usefixtures("aws_keys")
def test_refused_credentials_are_looked_for_anew_once_a_second(aws: Aws, aws_server: FaultServer) -> None:
    """However many tokens meet the refusal."""
    broker = backend(aws_server.url, role_arn=ROLE)
    aws.secret = refused("UnrecognizedClientException")
    began = time.monotonic()
    for _ in range(20):
        with pytest.raises(SecretBackendUnavailable):
            read(broker)
    assert len(aws.roles) <= 2 + (time.monotonic() - began)


@pytest.mark.usefixtures("aws_keys")
def test_expired_credentials_of_the_call_are_looked_for_anew(aws: Aws, aws_server: FaultServer) -> None:
    """A role whose session was revoked is assumed again at the next call (F-29)."""
    broker = backend(aws_server.url, role_arn=ROLE)
    read(broker)
    good, aws.secret = aws.secret, refused("ExpiredTokenException")
    with pytest.raises(SecretBackendUnavailable, match="are they expired"):
        read(broker)
    aws.secret = good
    read(broker)
    assert ["ROLE1", "ROLE1", "ROLE2"] == aws.readers


def test_web_identity_is_read_again_for_each_renewal(
    aws: Aws, aws_server: FaultServer, aws_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R-109: the kubelet replaces the file; the token is the only credential that STS sees."""
    token = aws_home / "token"
    token.write_text("S3CR3T-first")
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(token))
    monkeypatch.setenv("AWS_ROLE_ARN", ROLE)
    monkeypatch.setenv("AWS_ROLE_SESSION_NAME", "pod")
    aws.life = timedelta(minutes=9)
    broker = backend(aws_server.url)
    read(broker)
    token.write_text("S3CR3T-second")
    read(broker)
    seen = [(role["key_id"], role["WebIdentityToken"], role["RoleSessionName"]) for role in aws.roles]
    assert [("", "S3CR3T-first", "pod"), ("", "S3CR3T-second", "pod")] == list(dict.fromkeys(seen))


def test_web_identity_assumes_a_role_of_another_account(
    aws: Aws, aws_server: FaultServer, aws_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pod's role is the one that may assume `role_arn`."""
    (aws_home / "token").write_text("S3CR3T-pod")
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(aws_home / "token"))
    monkeypatch.setenv("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/pod")
    read(backend(aws_server.url, role_arn=ROLE))
    assert [("AssumeRoleWithWebIdentity", ""), ("AssumeRole", "ROLE1")] == [
        (role["Action"], role["key_id"]) for role in aws.roles
    ]
    assert ["ROLE2"] == aws.readers


@pytest.mark.parametrize(
    ("content", "words"),
    [(None, "a file with a token is not readable"), ("S3CR3T-pod", "the web identity is not accepted")],
)
def test_web_identity_that_does_not_work_is_told_as_that(
    aws: Aws,
    aws_server: FaultServer,
    monkeypatch: pytest.MonkeyPatch,
    content: str | None,
    words: str,
) -> None:
    """With the variable that names the file, or with what STS thinks of it."""
    token = Path(os.environ["HOME"]) / "token"
    if content is not None:
        token.write_text(content)
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(token))
    monkeypatch.setenv("AWS_ROLE_ARN", ROLE)
    aws.sts_refuses = sts_refused("InvalidIdentityToken", 400)
    assert words in trouble(aws_server).message


@pytest.mark.parametrize("source", ["keys", "web identity"])
def test_role_on_moto(moto: Moto, aws_home: Path, monkeypatch: pytest.MonkeyPatch, source: str) -> None:
    """The requests are real ones: a stranger's server takes them, too."""
    operator = moto.client("secretsmanager")
    name = f"role/{source}".replace(" ", "-")
    operator.create_secret(Name=name, SecretString='{"client_secret": "S3CR3T-moto"}')
    # moto keeps an account of its own for each account of a role: the secret of ours is not there.
    ours = f"arn:aws:iam::{moto.client('sts').get_caller_identity()['Account']}:role/token-broker"
    environment = moto.environment
    if source == "web identity":
        (aws_home / "token").write_text("S3CR3T-a.web.identity")
        environment = {"AWS_WEB_IDENTITY_TOKEN_FILE": str(aws_home / "token"), "AWS_ROLE_ARN": ours}
    for variable, value in environment.items():
        monkeypatch.setenv(variable, value)
    broker = backend(moto.url, role_arn=ours, external_id="acme:7")
    document = broker.read(name, timeout_seconds=PATIENCE_SECONDS)
    assert "S3CR3T-moto" == document.fields["client_secret"].reveal()
