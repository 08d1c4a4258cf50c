"""What Secrets Manager, or what stands in its place, may answer, and what the environment may not change."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path

import botocore.session
import pytest

import backends.aws_secrets_manager
from backends.aws_secrets_manager.backend import SecretsManagerBackend
from backends.aws_secrets_manager.options import SecretsManagerOptions
from backends.aws_secrets_manager.session import credentials, new_client
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
        (400, "InvalidSignatureException", SecretBackendUnavailable, "clock"),
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


def test_missing_region_is_explained() -> None:
    """With the key, an example, and the reason why AWS_REGION did not help."""
    faults = backends.aws_secrets_manager.plugin.check(SecretsManagerOptions())
    why = "required: the AWS region that holds the secrets, such as"
    assert [f'region: {why} "eu-west-1"; AWS_REGION and profiles have no effect'] == [
        str(fault) for fault in faults
    ]


POISONED_READ = """
import logging, sys
from backends.aws_secrets_manager import create
from backends.aws_secrets_manager.backend import SecretsManagerBackend
from backends.aws_secrets_manager.options import SecretsManagerOptions
from backends.aws_secrets_manager.session import credentials, new_client
from broker.api import PluginContext, SecretBackendError
logging.basicConfig(level=logging.DEBUG)
options = SecretsManagerOptions(region="eu-west-1", endpoint_url=sys.argv[1], allow_insecure_loopback=True)
backend = create(options, PluginContext(name="aws", observer=print))
try:
    print(sorted(backend.read("odc", timeout_seconds=5).fields))
    print(backend._client.meta.endpoint_url, backend._client.meta.region_name)
except SecretBackendError as error:
    print(error.code)
"""


def poisoned_read(home: Path, poison: FaultServer, endpoint_url: str, **more: str) -> tuple[str, str]:
    """Read in a process whose every AWS variable points at the poison; answer its two streams."""
    (home / ".aws").mkdir(parents=True)
    (home / ".aws" / "config").write_text(
        "[default]\nregion = us-poison-1\nca_bundle = /poison\nmax_attempts = 9\nretry_mode = legacy\n"
        f"endpoint_url = {poison.url}\n[profile poison]\nregion = us-poison-2\n"
    )
    proxies = dict.fromkeys(
        ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy"), poison.url
    )
    poisoned = {
        "HOME": str(home),
        "AWS_PROFILE": "poison",
        "AWS_DEFAULT_PROFILE": "poison",
        "AWS_REGION": "us-poison-1",
        "AWS_DEFAULT_REGION": "us-poison-1",
        "AWS_CA_BUNDLE": "/poison",
        "REQUESTS_CA_BUNDLE": "/poison",
        "AWS_ENDPOINT_URL": poison.url,
        "AWS_ENDPOINT_URL_SECRETS_MANAGER": poison.url,
        "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "false",
        "AWS_MAX_ATTEMPTS": "9",
        "AWS_RETRY_MODE": "adaptive",
        "AWS_DEFAULTS_MODE": "auto",
        "AWS_EXECUTION_ENV": "poison",
        "AWS_USE_FIPS_ENDPOINT": "true",
        "AWS_USE_DUALSTACK_ENDPOINT": "true",
        "AWS_CONFIG_FILE": "/poison",
        "AWS_SHARED_CREDENTIALS_FILE": "/poison",
        "AWS_DATA_PATH": "/poison",
        "AWS_CSM_ENABLED": "true",
        "AWS_EC2_METADATA_SERVICE_ENDPOINT": poison.url,
        **proxies,
    }
    finished = subprocess.run(
        [sys.executable, "-c", POISONED_READ, endpoint_url],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        | poisoned
        | more,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert 0 == finished.returncode, finished.stderr
    return finished.stdout, finished.stderr


def test_environment_counts_for_credentials_only(server: FaultServer, moto: Moto, tmp_path: Path) -> None:
    """Region, endpoint, CA, profile, retry and proxy variables and files have no effect (R-060, R-112)."""
    server.script = always(Reply(body={**VALUE.body, "SecretString": '{"client_secret": "S3CR3T-json"}'}))
    with running_fault_server(always(VALUE)) as poison:
        printed, logged = poisoned_read(tmp_path / "home", poison, server.url, **moto.environment)
        assert [] == poison.ledger
    assert f"['client_secret']\n{server.url} eu-west-1\n" == printed
    assert "S3CR3T-" not in logged
    [asked] = server.ledger
    assert "/eu-west-1/secretsmanager/aws4_request" in asked.headers["authorization"]


def test_failing_service_is_asked_once_whatever_the_environment_says(
    server: FaultServer, moto: Moto, tmp_path: Path
) -> None:
    """AWS_MAX_ATTEMPTS and AWS_RETRY_MODE have no effect (R-059, R-060)."""
    server.script = always(Reply(503, {"__type": "ServiceUnavailable"}))
    with running_fault_server(always(VALUE)) as poison:
        printed, _ = poisoned_read(tmp_path / "home", poison, server.url, **moto.environment)
    assert ("unavailable\n", 1) == (printed, len(server.ledger))


def test_no_credentials_are_said_to_be_missing(server: FaultServer, tmp_path: Path) -> None:
    """Nobody is asked, not even a proxy for a metadata service."""
    with running_fault_server(always(VALUE)) as poison:
        printed, _ = poisoned_read(tmp_path / "home", poison, server.url, AWS_EC2_METADATA_DISABLED="true")
        assert [] == poison.ledger
    assert ("no_credentials\n", []) == (printed, server.ledger)


def test_metadata_service_is_not_asked_through_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Looked at, not tried: the service's address is no loopback address."""
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    client = new_client(SecretsManagerOptions(region=REGION), timeout_seconds=PATIENCE_SECONDS)
    assert "https://secretsmanager.eu-west-1.amazonaws.com" == client.meta.endpoint_url
    session = botocore.session.Session()
    chain = credentials(session, REGION)
    fetcher = chain.get_provider("iam-role")._role_fetcher
    assert None is fetcher._session._proxy_config.proxy_url_for(fetcher.get_base_url())


def test_container_credentials_are_used(server: FaultServer, tmp_path: Path) -> None:
    """The container's variables are credentials; its endpoint is reached past the proxies."""
    keys = {"AccessKeyId": "AKIACONTAINER", "SecretAccessKey": "S3CR3T-container", "Token": "S3CR3T-session"}
    role = {**keys, "Expiration": "2099-01-01T00:00:00Z"}
    with (
        running_fault_server(always(Reply(body=role))) as container,
        running_fault_server(always(VALUE)) as poison,
    ):
        uri = f"{container.url}/credentials"
        poisoned_read(tmp_path / "home", poison, server.url, AWS_CONTAINER_CREDENTIALS_FULL_URI=uri)
        assert (1, []) == (len(container.ledger), poison.ledger)
    [asked] = server.ledger
    assert "AKIACONTAINER" in asked.headers["authorization"]


def test_call_with_another_patience_gets_its_own_timeouts(server: FaultServer) -> None:
    """Timeouts belong to a client of botocore, so another one is made."""
    options = SecretsManagerOptions(region=REGION, endpoint_url=server.url, allow_insecure_loopback=True)
    aws = SecretsManagerBackend(options, PluginContext(name="aws", observer=RecordingObserver()))
    seen = []
    for seconds in (5.0, 5.0, 2.0):
        aws.read("odc", timeout_seconds=seconds)
        seen.append(aws._client.meta.config.read_timeout)
    assert [5.0, 5.0, 2.0] == seen
