"""Several secrets in one call to AWS: each with its own outcome, never another version, never another's value."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import pytest

from backends.aws_secrets_manager.backend import SecretsManagerBackend
from broker.api import LifeCycle, PluginContext, SecretBackendError, SecretBackendUnavailable, SecretDocument
from broker.testing.observer import RecordingObserver
from tests.contract.aws.imitation import JSON, PATIENCE_SECONDS, Aws, backend, options, refused
from tests.contract.fault_server import Asked, FaultServer, Reply
from tests.servers.moto import Moto

pytestmark = pytest.mark.usefixtures("aws_keys")


def value(name: str, **parts: Any) -> dict[str, Any]:
    """Answer one secret of a batch."""
    arn = f"arn:aws:secretsmanager:eu-west-1:123456789012:secret:{name}-a1B2c3"
    stages = {"VersionId": f"v-{name}", "VersionStages": ["AWSCURRENT"]}
    return {"ARN": arn, "Name": name, "SecretString": f"S3CR3T-{name}", **stages, **parts}


def batch(
    values: Iterable[dict[str, Any]] = (), errors: Iterable[tuple[str, str]] = (), **more: Any
) -> Reply:
    """Answer one page."""
    failed = [{"SecretId": name, "ErrorCode": code, "Message": "S3CR3T-message"} for name, code in errors]
    return Reply(200, {"SecretValues": list(values), "Errors": failed, **more}, JSON)


def read(aws: SecretsManagerBackend, *paths: str) -> dict[str, str]:
    """Answer values, or codes of errors, by path."""
    found = aws.read_many(paths, timeout_seconds=PATIENCE_SECONDS)
    return {path: _shown(outcome) for path, outcome in found.items()}


def _shown(outcome: SecretDocument | SecretBackendError) -> str:
    if isinstance(outcome, SecretBackendError):
        assert "S3CR3T-" not in outcome.message
        return outcome.code
    assert outcome.whole is not None
    return f"{outcome.whole.reveal()} {outcome.version}"


def asked(server: FaultServer) -> list[dict[str, Any]]:
    """Answer what was asked for, in order."""
    return [json.loads(each.body) for each in server.ledger]


def test_each_secret_has_its_own_outcome(aws: Aws, aws_server: FaultServer) -> None:
    """R-107, pitfall 51: an error of one is no error of another, and is told as for a read by itself."""
    codes = {
        "absent": "ResourceNotFoundException",
        "deleted": "InvalidRequestException",
        "denied": "AccessDeniedException",
        "undecryptable": "DecryptionFailure",
        "broken": "InternalServiceError",
    }
    aws.secret = batch([value("a"), value("b")], codes.items())
    assert {
        "a": "S3CR3T-a v-a",
        "b": "S3CR3T-b v-b",
        "absent": "not_found",
        "deleted": "deleted",
        "denied": "denied",
        "undecryptable": "decryption",
        "broken": "unavailable",
    } == read(backend(aws_server.url), "a", "b", *codes)
    assert [{"SecretIdList": ["a", "b", *codes]}] == asked(aws_server)


@pytest.mark.parametrize(
    "reply",
    [
        batch([value("a")]),
        batch([value("a"), value("b", VersionStages=["AWSPREVIOUS"])]),
        batch([value("a"), value("b", VersionStages=[])]),
        batch([value("a"), value("b", VersionId=None)]),
        batch([value("a"), value("somebody")], [("else", "AccessDeniedException")]),
    ],
)
def test_secret_without_a_current_value_is_an_error(aws: Aws, aws_server: FaultServer, reply: Reply) -> None:
    """R-103, R-107: left out, of another version, or another's."""
    aws.secret = reply
    assert {"a": "S3CR3T-a v-a", "b": "unavailable"} == read(backend(aws_server.url), "a", "b")


def test_binary_value_is_decoded_once(aws: Aws, aws_server: FaultServer) -> None:
    """As in a read by itself (R-105)."""
    aws.secret = batch([value("a"), value("b", SecretString=None, SecretBinary="UzNDUjNULWI=")])
    assert {"a": "S3CR3T-a v-a", "b": "S3CR3T-b v-b"} == read(backend(aws_server.url), "a", "b")


def test_pages_are_followed(aws: Aws, aws_server: FaultServer) -> None:
    """Until each secret was seen; a page may be empty."""
    pages = [batch(NextToken="1"), batch([value("a")], NextToken="2"), batch([value("b")], NextToken="3")]

    def script(_: Asked) -> Reply:
        return pages[len(aws_server.ledger) - 1]

    aws_server.script = script
    assert {"a": "S3CR3T-a v-a", "b": "S3CR3T-b v-b"} == read(backend(aws_server.url), "a", "b")
    names = {"SecretIdList": ["a", "b"]}
    assert [names, names | {"NextToken": "1"}, names | {"NextToken": "2"}] == asked(aws_server)


def test_pages_without_end_are_given_up(aws: Aws, aws_server: FaultServer) -> None:
    """R-107: what has come until then counts."""
    aws.secret = batch([value("a")], NextToken="again")
    assert {"a": "S3CR3T-a v-a", "b": "unavailable"} == read(backend(aws_server.url), "a", "b")
    assert 20 == len(aws_server.ledger)


@pytest.mark.parametrize(
    ("reply", "code"),
    [
        (refused("ThrottlingException"), "throttled"),
        (refused("InternalServiceError", 500), "unavailable"),
        (refused("ExpiredTokenException"), "login_refused"),
        (Reply(200, b"S3CR3T-page"), "unavailable"),
        (Reply(200, b'{"SecretValues": ["S3CR3T-1"]}'), "unavailable"),
    ],
)
def test_batch_that_fails_as_a_whole_is_one_attempt(
    aws: Aws, aws_server: FaultServer, reply: Reply, code: str
) -> None:
    """R-059: nothing is read one by one when the service is the trouble."""
    aws.secret = reply
    with pytest.raises(SecretBackendUnavailable) as caught:
        read(backend(aws_server.url), "a", "b")
    assert (code, 1) == (caught.value.code, len(aws.readers))
    assert "S3CR3T-" not in repr(caught.value)


def test_policy_without_batches_is_lived_with(aws: Aws, aws_server: FaultServer) -> None:
    """It is told once, with the action, and never asked for again."""
    aws.secret = refused("AccessDeniedException")
    observer = RecordingObserver()
    broker = SecretsManagerBackend(options(aws_server.url), PluginContext(name="aws", observer=observer))
    assert [{}, {}] == [read(broker, "a", "b") for _ in range(2)]
    assert 1 == len(aws.readers)
    [told] = observer.events
    assert isinstance(told, LifeCycle)
    assert "allow secretsmanager:BatchGetSecretValue" in (told.message or "")


def test_name_that_aws_does_not_take_spoils_one_batch_only(aws: Aws, aws_server: FaultServer) -> None:
    """Each of its secrets is read by itself then; others are batched as before."""
    aws.secret = refused("ValidationException")
    broker = backend(aws_server.url)
    assert {} == read(broker, "a b", "c")
    aws.secret = batch([value("a"), value("c")])
    assert {"a": "S3CR3T-a v-a", "c": "S3CR3T-c v-c"} == read(broker, "a", "c")


def test_arn_is_left_to_a_read_by_itself(aws: Aws, aws_server: FaultServer) -> None:
    """It may be another account's, where this action has no effect."""
    aws.secret = batch([value("a"), value("b")])
    broker = backend(aws_server.url)
    assert {"a", "b"} == read(broker, "a", value("x")["ARN"], "b").keys()
    assert {} == read(broker, "a", value("x")["ARN"])
    assert [{"SecretIdList": ["a", "b"]}] == asked(aws_server)


def test_batch_on_moto(moto: Moto, monkeypatch: pytest.MonkeyPatch) -> None:
    """The request is a real one; one secret is missing and one is marked for deletion."""
    for name, text in moto.environment.items():
        monkeypatch.setenv(name, text)
    operator = moto.client("secretsmanager")
    versions = [
        operator.create_secret(Name=f"batch/{name}", SecretString=f"S3CR3T-{name}")["VersionId"]
        for name in ("a", "b", "gone")
    ]
    operator.delete_secret(SecretId="batch/gone", RecoveryWindowInDays=7)
    assert {
        "batch/a": f"S3CR3T-a {versions[0]}",
        "batch/b": f"S3CR3T-b {versions[1]}",
        "batch/absent": "not_found",
        "batch/gone": "deleted",
    } == read(backend(moto.url), "batch/a", "batch/b", "batch/absent", "batch/gone")
