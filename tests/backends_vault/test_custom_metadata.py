"""`custom_metadata` of KV version 2 on a real OpenBao: an expiry date beside the secret is a field like any other."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.backends_vault.broker_side import BrokerSide, put_file
from tests.backends_vault.readable import SECRET, readable
from tests.servers.openbao import OpenBao


@pytest.fixture
def broker(openbao: OpenBao, tmp_path: Path) -> BrokerSide:
    """A backend with the operator's rights."""
    auth = {"method": "token_file", "path": put_file(tmp_path / "token", openbao.root_token)}
    return BrokerSide({"url": openbao.url, "allow_insecure_loopback": True, "auth": auth})


def test_expiry_beside_the_secret_is_read_with_it(
    openbao: OpenBao, broker: BrokerSide, request: pytest.FixtureRequest
) -> None:
    """R-081: in the same request."""
    path = readable(openbao, request).path
    openbao.set_custom_metadata(path, {"expires_at": "2027-01-31"})
    reads = len(openbao.requests(f"secret/data/{path}"))
    fields = broker.backend.read(path, timeout_seconds=20).fields
    assert {"client_secret": SECRET, "expires_at": "2027-01-31"} == {k: v.reveal() for k, v in fields.items()}
    assert reads + 1 == len(openbao.requests(f"secret/data/{path}"))


def test_field_of_the_secret_comes_before_one_beside_it(
    openbao: OpenBao, broker: BrokerSide, request: pytest.FixtureRequest
) -> None:
    """Who may only write metadata replaces no secret."""
    path = readable(openbao, request).path
    openbao.set_custom_metadata(path, {"client_secret": "S3CR3T-planted"})
    assert SECRET == broker.read(path)


def test_new_metadata_alone_is_no_new_version(
    openbao: OpenBao, broker: BrokerSide, request: pytest.FixtureRequest
) -> None:
    """Nothing is minted because somebody noted an owner."""
    path = readable(openbao, request).path
    before = broker.version(path)
    openbao.set_custom_metadata(path, {"owner": "platform team"})
    assert before == broker.version(path)
