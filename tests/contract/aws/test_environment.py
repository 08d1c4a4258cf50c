"""What the environment may change about the AWS backend: its credentials, and nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import botocore.session
import pytest

from backends.aws_secrets_manager.credentials import chain
from backends.aws_secrets_manager.options import SecretsManagerOptions
from backends.aws_secrets_manager.session import AwsSession
from tests.contract.aws.imitation import ROLE
from tests.contract.aws.store import Store
from tests.contract.fault_server import FaultServer, Reply, Script, running_fault_server
from tests.servers.moto import ACCESS_KEY_ID, REGION, SECRET_ACCESS_KEY

PATIENCE_SECONDS = 20.0
VPC = "vpce-1-2.secretsmanager.eu-west-1.vpce.amazonaws.com"
KEYS = {"AWS_ACCESS_KEY_ID": ACCESS_KEY_ID, "AWS_SECRET_ACCESS_KEY": SECRET_ACCESS_KEY}
VALUE = Reply(body={"VersionId": "v-1", "SecretString": '{"client_secret": "S3CR3T-json"}'})


def always(reply: Reply) -> Script:
    """Answer a script that knows one answer."""
    return lambda _: reply


@pytest.fixture
def server() -> Iterator[FaultServer]:
    """A server in AWS's place."""
    with running_fault_server(always(VALUE)) as server:
        yield server


POISONED_READ = """
import logging, sys
from backends.aws_secrets_manager import create
from backends.aws_secrets_manager.backend import SecretsManagerBackend
from backends.aws_secrets_manager.options import SecretsManagerOptions
from broker.api import PluginContext, SecretBackendError
logging.basicConfig(level=logging.DEBUG)
role_arn = sys.argv[2] or None
options = SecretsManagerOptions(
    region="eu-west-1", endpoint_url=sys.argv[1], allow_insecure_loopback=True, role_arn=role_arn
)
backend = create(options, PluginContext(name="aws", observer=print))
try:
    print(sorted(backend.read("odc", timeout_seconds=5).fields))
    if role_arn:
        print(sorted(backend.read_many(["a", "b"], timeout_seconds=5)))
        print(backend.version("odc", timeout_seconds=5))
    client = backend._session.client(5)
    print(client.meta.endpoint_url, client.meta.region_name)
except SecretBackendError as error:
    print(error.code)
"""


def poisoned_read(
    home: Path, poison: FaultServer, endpoint_url: str, role_arn: str = "", **more: str
) -> tuple[str, str]:
    """Read in a process whose every AWS variable points at the poison; answer its two streams."""
    (home / ".aws" / "models" / "secretsmanager" / "2017-10-17").mkdir(parents=True)
    (home / ".aws" / "models" / "secretsmanager" / "2017-10-17" / "service-2.json").write_text("poison")
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
        "AWS_ENDPOINT_URL_STS": poison.url,
        "AWS_STS_REGIONAL_ENDPOINTS": "legacy",
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
        [sys.executable, "-c", POISONED_READ, endpoint_url, role_arn],
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


def test_environment_counts_for_credentials_only(server: FaultServer, tmp_path: Path) -> None:
    """Region, endpoint, CA, profile, retry and proxy variables and files have no effect (R-060, R-112)."""
    with running_fault_server(always(VALUE)) as poison:
        printed, logged = poisoned_read(tmp_path / "home", poison, server.url, **KEYS)
        assert [] == poison.ledger
    assert f"['client_secret']\n{server.url} eu-west-1\n" == printed
    assert "S3CR3T-" not in logged
    [asked] = server.ledger
    assert "/eu-west-1/secretsmanager/aws4_request" in asked.headers["authorization"]


def test_failing_service_is_asked_once_whatever_the_environment_says(
    server: FaultServer, tmp_path: Path
) -> None:
    """AWS_MAX_ATTEMPTS and AWS_RETRY_MODE have no effect (R-059, R-060)."""
    server.script = always(Reply(503, {"__type": "ServiceUnavailable"}))
    with running_fault_server(always(VALUE)) as poison:
        printed, _ = poisoned_read(tmp_path / "home", poison, server.url, **KEYS)
    assert ("unavailable\n", 1) == (printed, len(server.ledger))


def test_no_credentials_are_said_to_be_missing(server: FaultServer, tmp_path: Path) -> None:
    """Nobody is asked, not even a proxy for a metadata service."""
    with running_fault_server(always(VALUE)) as poison:
        printed, _ = poisoned_read(tmp_path / "home", poison, server.url, AWS_EC2_METADATA_DISABLED="true")
        assert [] == poison.ledger
    assert ("no_credentials\n", []) == (printed, server.ledger)


def test_role_is_assumed_whatever_the_environment_says(tmp_path: Path) -> None:
    """STS is asked in our region, once; no read, batch or role is logged, with the root logger at DEBUG (F-55)."""
    store = Store()
    store.secrets = dict.fromkeys(("odc", "a", "b"), '{"client_secret": "S3CR3T-stored"}')
    with running_fault_server(store) as server, running_fault_server(always(VALUE)) as poison:
        printed, logged = poisoned_read(tmp_path / "home", poison, server.url, ROLE, **KEYS)
        assert ([], 1, ["ROLE1"] * 3) == (poison.ledger, len(store.aws.roles), store.aws.readers)
    assert "['client_secret']\n['a', 'b']\nv-" in printed
    assert "S3CR3T-" not in printed + logged
    assert "/eu-west-1/sts/aws4_request" in server.ledger[0].headers["authorization"]


@pytest.mark.parametrize(
    ("options", "manager", "sts"),
    [
        ({}, "secretsmanager.eu-west-1.amazonaws.com", "sts.eu-west-1.amazonaws.com"),
        (
            {"use_fips": True},
            "secretsmanager-fips.eu-west-1.amazonaws.com",
            "sts-fips.eu-west-1.amazonaws.com",
        ),
        ({"use_dualstack": True}, "secretsmanager.eu-west-1.api.aws", "sts.eu-west-1.api.aws"),
        (
            {"use_fips": True, "use_dualstack": True},
            "secretsmanager-fips.eu-west-1.api.aws",
            "sts-fips.eu-west-1.api.aws",
        ),
        ({"endpoint_url": f"https://{VPC}"}, VPC, "sts.eu-west-1.amazonaws.com"),
        ({"endpoint_url": "https://localhost:4566"}, "localhost:4566", "localhost:4566"),
    ],
)
@pytest.mark.usefixtures("aws_keys")
def test_endpoints_are_those_of_the_options(
    monkeypatch: pytest.MonkeyPatch, options: dict[str, Any], manager: str, sts: str
) -> None:
    """R-110, for both services; an endpoint of AWS serves one of them. The trust is not the environment's."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/poison")
    session = AwsSession(SecretsManagerOptions(region=REGION, **options))
    clients = [session.client(PATIENCE_SECONDS), session._session.create_client("sts", region_name=REGION)]
    assert [f"https://{manager}", f"https://{sts}"] == [client.meta.endpoint_url for client in clients]
    assert [True, True] == [client._endpoint.http_session._verify for client in clients]


def test_metadata_service_is_not_asked_through_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Looked at, not tried: the service's address is no loopback address."""
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    fetcher = chain(botocore.session.Session(), REGION).get_provider("iam-role")._role_fetcher
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
