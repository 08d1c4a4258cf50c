"""`TokenClient` against a scripted socket API."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from broker.client import (
    AccessDenied,
    BrokerUnreachable,
    RequestInvalid,
    TokenClient,
    TryAgainLater,
    UnexpectedAnswer,
)
from tests.client.socket_api import always, answer, in_turn, one_token, problem, socket_api


def test_a_token_comes_with_what_the_broker_knows_of_it(socket_file: Path) -> None:
    """All members that do not depend on the moment."""
    with socket_api(socket_file, one_token()):
        token = TokenClient(str(socket_file)).get("deploy")
    assert ("deploy", "S3CR3T-deploy.revision-1", "Bearer", 1) == (
        token.name,
        token.access_token,
        token.token_type,
        token.revision,
    )
    assert (1_700_000_000, 1_700_001_795, "a b", "0123456789abcdef") == (
        token.issued_at,
        token.expires_at,
        token.scope,
        token.fingerprint,
    )
    assert token.expires_in < 0


def test_a_token_does_not_print_itself(socket_file: Path) -> None:
    """R-154: neither repr nor str shows it."""
    with socket_api(socket_file, one_token()):
        token = TokenClient(str(socket_file)).get("deploy")
    assert "S3CR3T" not in f"{token!r} {token}"


def test_what_is_asked_for_reaches_the_broker(socket_file: Path) -> None:
    """A duration is never rounded down, and a wait never above what one request may ask for."""
    with socket_api(socket_file, one_token()) as api:
        TokenClient(str(socket_file)).get("deploy", min_valid=60, wait=90)
        TokenClient(str(socket_file)).get("deploy", min_valid=0.0001)
    assert [
        "GET /v1/tokens/deploy?min_valid=60s&wait=30s",
        "GET /v1/tokens/deploy?min_valid=1ms",
    ] == api.targets()


def test_a_long_wait_asks_again(socket_file: Path) -> None:
    """A request waits 30 s at most; the client goes on until its own time is over."""
    script = in_turn(problem(503, "starting"), problem(503, "expired"), one_token()("GET /v1/tokens/deploy "))
    with socket_api(socket_file, script) as api:
        assert 1 == TokenClient(str(socket_file)).get("deploy", wait=30).revision
    assert 3 == len(api.requests)


def test_the_last_refusal_ends_a_wait(socket_file: Path) -> None:
    """The caller learns why, not merely that time is over."""
    script = in_turn(problem(503, "starting"), problem(503, "throttled"))
    with socket_api(socket_file, script), pytest.raises(TryAgainLater) as caught:
        TokenClient(str(socket_file)).get("deploy", wait=4)
    assert "throttled" == caught.value.code


def test_a_denial_ends_a_wait_at_once(socket_file: Path) -> None:
    """Time does not change the configuration."""
    with socket_api(socket_file, one_token()) as api, pytest.raises(AccessDenied):
        TokenClient(str(socket_file)).get("other", wait=30)
    assert 1 == len(api.requests)


def test_without_a_broker_there_is_nothing_to_wait_for_by_default(socket_file: Path) -> None:
    """`wait` decides, also about a broker that is not up yet."""
    with pytest.raises(BrokerUnreachable):
        TokenClient(str(socket_file)).get("deploy")


@pytest.mark.parametrize("name", ["", ".", "../status", "a b", "a\r\nX: y", "é", "-x", "n" * 65, "a?wait=1"])
def test_what_cannot_be_a_name_is_never_sent(socket_file: Path, name: str) -> None:
    """A name becomes part of a request line."""
    with socket_api(socket_file, one_token()) as api, pytest.raises(RequestInvalid, match="name of a token"):
        TokenClient(str(socket_file)).get(name)
    assert [] == api.requests


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'"x"', b'{"name": "deploy"}', b"[" * 100_000])
def test_an_answer_without_a_token_is_not_taken_for_one(socket_file: Path, body: bytes) -> None:
    """A stranger at the socket is not the broker."""
    with socket_api(socket_file, always(answer(200, body))), pytest.raises(UnexpectedAnswer):
        TokenClient(str(socket_file)).get("deploy")


def test_the_client_needs_the_standard_library_only() -> None:
    """Programs that import it do not pay for the daemon, nor for an event loop."""
    program = (
        "import sys; before = set(sys.modules); import broker.client; broker.client.TokenClient;"
        "print(*sorted({name.partition('.')[0] for name in set(sys.modules) - before}))"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    roots = set(run.stdout.split())
    assert set() == roots - set(sys.stdlib_module_names) - {"broker"}
    assert set() == roots & {"asyncio", "socket", "ssl", "dataclasses", "typing", "http", "urllib"}


@pytest.mark.parametrize(
    "name", ["aio", "BotocoreAuth", "HttpxAuth", "RequestsAuth", "Token", "TryAgainLater"]
)
def test_public_names_are_loaded_at_their_first_use(name: str) -> None:
    """Each from `broker.client`, in a fresh interpreter."""
    program = (
        f"import sys, broker.client; assert len(sys.modules) < 100; print(broker.client.{name}.__name__)"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert name == run.stdout.strip().rpartition(".")[2]


@pytest.mark.parametrize(
    ("module", "libraries"),
    [
        ("requests_auth", {"requests", "httpx2", "asyncio"}),
        ("botocore_auth", {"botocore", "boto3", "asyncio"}),
        ("httpx_auth", {"requests", "botocore"}),
    ],
)
def test_an_adapter_loads_no_library_but_its_own(module: str, libraries: set[str]) -> None:
    """And those of requests and botocore, not even that."""
    program = f"import sys, broker.client.{module}; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert set() == set(run.stdout.split()) & libraries
