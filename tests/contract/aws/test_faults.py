"""What Secrets Manager, or what stands in its place, may answer, and what must not leak then."""

from __future__ import annotations

import base64
import json
import re
import traceback
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

import backends.aws_secrets_manager
from backends.aws_secrets_manager.backend import SecretsManagerBackend
from backends.aws_secrets_manager.options import SecretsManagerOptions
from broker.api import (
    PluginContext,
    SecretAccessDenied,
    SecretBackend,
    SecretBackendError,
    SecretBackendUnavailable,
    SecretNotFound,
)
from broker.testing.observer import RecordingObserver
from tests.contract.fault_server import FaultServer, Reply, Script, running_fault_server
from tests.scale import scaled
from tests.servers.moto import REGION, Moto

PATIENCE_SECONDS = 20.0
VALUE = Reply(body={"Name": "odc", "VersionId": "v-1", "SecretString": "S3CR3T-value"})


def always(reply: Reply) -> Script:
    """Answer a script that knows one answer."""
    return lambda _: reply


@pytest.fixture
def server() -> Iterator[FaultServer]:
    """A server in AWS's place."""
    with running_fault_server(always(VALUE)) as server:
        yield server


@pytest.fixture(autouse=True)
def _credentials(moto: Moto, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in moto.environment.items():
        monkeypatch.setenv(name, value)


def backend(endpoint_url: str) -> SecretBackend:
    """Answer a backend whose service is there."""
    options = SecretsManagerOptions(region=REGION, endpoint_url=endpoint_url, allow_insecure_loopback=True)
    context = PluginContext(name="aws", observer=RecordingObserver())
    return backends.aws_secrets_manager.plugin.create(options, context)


def error_of(server: FaultServer, reply: Reply) -> SecretBackendError:
    """Answer what reading a secret raises when the server answers like this, once."""
    server.script = always(reply)
    with pytest.raises(SecretBackendError) as caught:
        backend(server.url).read("odc", timeout_seconds=PATIENCE_SECONDS)
    assert 1 == len(server.ledger)
    assert "S3CR3T-" not in "".join(traceback.format_exception(caught.value))
    return caught.value


@pytest.mark.parametrize(
    ("status", "code", "kind", "short"),
    [
        (400, "ResourceNotFoundException", SecretNotFound, "not_found"),
        (400, "InvalidRequestException", SecretNotFound, "deleted"),
        (400, "InvalidParameterException", SecretNotFound, "not_found"),
        (400, "AccessDeniedException", SecretAccessDenied, "denied"),
        (400, "DecryptionFailure", SecretAccessDenied, "decryption"),
        (400, "ExpiredTokenException", SecretBackendUnavailable, "login_refused"),
        (400, "UnrecognizedClientException", SecretBackendUnavailable, "login_refused"),
        (400, "InvalidSignatureException", SecretBackendUnavailable, "login_refused"),
        (400, "RequestExpired", SecretBackendUnavailable, "clock"),
        (400, "ThrottlingException", SecretBackendUnavailable, "throttled"),
        (500, "InternalServiceError", SecretBackendUnavailable, "unavailable"),
        (503, "ServiceUnavailable", SecretBackendUnavailable, "unavailable"),
        (418, "S3CR3T-unknown", SecretBackendUnavailable, "unavailable"),
    ],
)
def test_error_of_the_service_is_classified_in_one_attempt(
    server: FaultServer, status: int, code: str, kind: type[SecretBackendError], short: str
) -> None:
    """By its name; its message is not repeated, and botocore does not try again (R-059, F-29)."""
    body = {"__type": code, "message": "S3CR3T-message"}
    error = error_of(server, Reply(status, body, {"Content-Type": "application/x-amz-json-1.1"}))
    assert (kind, short) == (type(error), error.code)


@pytest.mark.soak
@pytest.mark.parametrize("code", ["ThrottlingException", "DecryptionFailure", "ExpiredTokenException"])
def test_failure_that_lasts_is_one_request_for_each_call(server: FaultServer, code: str) -> None:
    """F-29: no attempt hides in a library, and nothing is kept of the failed ones."""
    calls = scaled(short=30, whole=1000)
    server.script = always(Reply(400, {"__type": code}))
    aws = backend(server.url)
    for _ in range(calls):
        with pytest.raises(SecretBackendError):
            aws.read("odc", timeout_seconds=PATIENCE_SECONDS)
    assert calls == len(server.ledger)
    server.script = always(VALUE)
    assert "v-1" == aws.read("odc", timeout_seconds=PATIENCE_SECONDS).version


@pytest.mark.parametrize(("minutes", "side"), [(10, "behind"), (-10, "ahead of")])
def test_clock_that_is_wrong_is_told_by_how_much(server: FaultServer, minutes: int, side: str) -> None:
    """Whatever a service calls it, the answer carries its time (R-111, F-29)."""
    dated = format_datetime(datetime.now(UTC) + timedelta(minutes=minutes), usegmt=True)
    error = error_of(server, Reply(400, {"__type": "InvalidSignatureException"}, {"Date": dated}))
    assert "clock" == error.code
    assert re.search(f"the clock of this machine is (5[789]|6[012])[0-9] s {side} AWS's", error.message)


@pytest.mark.parametrize(
    "reply",
    [
        Reply(200, b"<html>S3CR3T-page</html>", {"Content-Type": "text/html"}),
        Reply(200, b""),
        Reply(200, {"Name": "odc", "SecretString": "S3CR3T-value"}),
        Reply(200, {"Name": "odc", "VersionId": "v-1"}),
        Reply(200, {"VersionId": "v-1", "SecretString": {"S3CR3T": "object"}}),
        Reply(200, b'["S3CR3T-list"]'),
        Reply(500, b"<html>S3CR3T-page</html>", {"Content-Type": "text/html"}),
    ],
)
def test_answer_of_somebody_else_is_unavailable(server: FaultServer, reply: Reply) -> None:
    """Its shape is checked before it is believed."""
    assert isinstance(error_of(server, reply), SecretBackendUnavailable)


def test_redirect_is_never_followed(server: FaultServer) -> None:
    """The signed request goes nowhere else."""
    with running_fault_server(always(VALUE)) as elsewhere:
        moved = Reply(307, b"", {"Location": elsewhere.url})
        assert isinstance(error_of(server, moved), SecretBackendUnavailable)
        assert [] == elsewhere.ledger


def test_current_version_is_always_named(server: FaultServer) -> None:
    """AWSPENDING may sit on an empty version, so the default is not trusted (R-103, pitfall 51)."""
    backend(server.url).read("odc", timeout_seconds=PATIENCE_SECONDS)
    assert [{"SecretId": "odc", "VersionStage": "AWSCURRENT"}] == [
        json.loads(asked.body) for asked in server.ledger
    ]


def test_binary_is_decoded_once(moto: Moto) -> None:
    """A value that is itself base64 stays what it was (R-105)."""
    value = base64.b64encode(b"S3CR3T-twice")
    moto.client("secretsmanager").create_secret(Name="faults/binary", SecretBinary=value)
    document = backend(moto.url).read("faults/binary", timeout_seconds=PATIENCE_SECONDS)
    assert document.whole is not None
    assert value == document.whole.reveal_bytes()


@pytest.mark.parametrize(
    ("value", "fields"),
    [
        ("S3CR3T-plain", {}),
        (
            '{"id": "a", "n": 12345678901234567890, "b": true, "o": {}}',
            {"id": "a", "n": "12345678901234567890"},
        ),
        ('["S3CR3T-list"]', {}),
        ('{"broken": "S3CR3T-', {}),
        (r'{"surrogate": "\ud800"}', {}),
        ("[" * 60000, {}),
    ],
)
def test_members_of_a_json_object_are_fields(moto: Moto, value: str, fields: dict[str, str]) -> None:
    """Anything else is a whole value only (R-084)."""
    manager = moto.client("secretsmanager")
    name = f"faults/{abs(hash(value))}"
    manager.create_secret(Name=name, SecretString=value)
    document = backend(moto.url).read(name, timeout_seconds=PATIENCE_SECONDS)
    assert document.whole is not None
    assert (value, fields) == (
        document.whole.reveal(),
        {member: secret.reveal() for member, secret in document.fields.items()},
    )


def test_pending_version_is_not_seen(moto: Moto) -> None:
    """A rotation under way changes neither value nor version until AWSCURRENT moves (R-103, R-104)."""
    manager = moto.client("secretsmanager")
    created = manager.create_secret(Name="faults/pending", SecretString="S3CR3T-current")
    manager.put_secret_value(
        SecretId="faults/pending", SecretString="S3CR3T-pending", VersionStages=["AWSPENDING"]
    )
    aws = backend(moto.url)
    document = aws.read("faults/pending", timeout_seconds=PATIENCE_SECONDS)
    version = aws.version("faults/pending", timeout_seconds=PATIENCE_SECONDS)
    assert document.whole is not None
    assert ("S3CR3T-current", created["VersionId"], created["VersionId"]) == (
        document.whole.reveal(),
        document.version,
        version,
    )


def test_secret_marked_for_deletion_is_told_as_such(moto: Moto) -> None:
    """For the value and for its version."""
    manager = moto.client("secretsmanager")
    manager.create_secret(Name="faults/deleted", SecretString="S3CR3T-deleted")
    manager.delete_secret(SecretId="faults/deleted", RecoveryWindowInDays=7)
    aws = backend(moto.url)
    for ask in (aws.read, aws.version):
        with pytest.raises(SecretNotFound, match="is marked for deletion: restore it"):
            ask("faults/deleted", timeout_seconds=PATIENCE_SECONDS)


def test_part_of_an_arn_is_refused(moto: Moto) -> None:
    """AWS takes it and may take another secret's for it; the error says what to write (R-106)."""
    whole = moto.client("secretsmanager").create_secret(Name="faults/arn", SecretString="S3CR3T-arn")["ARN"]
    aws = backend(moto.url)
    assert aws.read(whole, timeout_seconds=PATIENCE_SECONDS).whole
    assert aws.version(whole, timeout_seconds=PATIENCE_SECONDS)
    for ask in (aws.read, aws.version):
        with pytest.raises(
            SecretNotFound, match=f"is part of an ARN.*: write it in full, {re.escape(whole)}"
        ):
            ask(whole[:-7], timeout_seconds=PATIENCE_SECONDS)


def test_call_with_another_patience_gets_its_own_timeouts(server: FaultServer) -> None:
    """Timeouts belong to a client of botocore, so another one is made."""
    options = SecretsManagerOptions(region=REGION, endpoint_url=server.url, allow_insecure_loopback=True)
    aws = SecretsManagerBackend(options, PluginContext(name="aws", observer=RecordingObserver()))
    seen = []
    for seconds in (5.0, 5.0, 2.0):
        aws.read("odc", timeout_seconds=seconds)
        seen.append(aws._session._client.meta.config.read_timeout)
    assert [5.0, 5.0, 2.0] == seen
