"""Method token_file beside a real agent, which logs in, renews, and puts tokens where the broker reads them."""

from __future__ import annotations

import sysconfig
from collections.abc import Iterator
from pathlib import Path

import pytest

from broker.api import SecretBackendUnavailable
from tests.backends_vault.broker_side import BrokerSide, put_file
from tests.backends_vault.readable import SECRET, readable
from tests.servers.http import ask
from tests.servers.openbao import OpenBao
from tests.servers.process import Child
from tests.waiting import eventually

LIVES = 3


@pytest.fixture
def sink(openbao: OpenBao, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    """Where `bao agent` puts the tokens of a role, each of which lives four seconds at most."""
    found = readable(openbao, request)
    role = openbao.approle([found.policy], token_ttl="2s", token_max_ttl="4s")
    sink = tmp_path / "sink"
    configuration = tmp_path / "agent.hcl"
    configuration.write_text(f"""
        vault {{ address = "{openbao.url}" }}
        auto_auth {{
          method "approle" {{
            config = {{
              role_id_file_path = "{put_file(tmp_path / "role-id", role.role_id)}"
              secret_id_file_path = "{put_file(tmp_path / "secret-id", role.secret_id)}"
              remove_secret_id_file_after_reading = false
            }}
          }}
          sink "file" {{ config = {{ path = "{sink}", mode = 0600 }} }}
        }}
    """)
    agent = Child(
        [Path(sysconfig.get_path("scripts"), "bao"), "agent", f"-config={configuration}"],
        env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)},
        log=tmp_path / "agent.log",
    )
    agent.wait_until(sink.exists, timeout=30, what="a token in the agent's sink")
    yield sink
    agent.stop()


def is_alive(openbao: OpenBao, token: str) -> bool:
    """Whether the server knows this token."""
    answer = ask("GET", f"{openbao.url}/v1/auth/token/lookup-self", headers={"X-Vault-Token": token})
    return 200 == answer.status


@pytest.mark.backends
def test_tokens_of_an_agent_are_taken_up_as_it_replaces_them(
    openbao: OpenBao, sink: Path, request: pytest.FixtureRequest
) -> None:
    """Every read succeeds while the agent logs in again and again; the broker logs in nowhere itself.

    Tokens live so shortly that the agent of a busy machine may replace one too late: then there is none to read with.
    """
    path = f"logins/{request.node.name}"
    auth = {"method": "token_file", "path": str(sink)}
    broker = BrokerSide({"url": openbao.url, "allow_insecure_loopback": True, "auth": auth})
    seen: set[str] = set()
    late = 0

    def several() -> bool:
        nonlocal late
        at_hand = sink.read_text().strip()
        try:
            assert SECRET == broker.read(path)
        except SecretBackendUnavailable:
            assert not is_alive(openbao, at_hand)
            late += 1
            return False
        seen.add(broker.token)
        return len(seen) >= LIVES

    eventually(several, what="several tokens")
    assert late or {"success"} == set(broker.logins)
    assert [] == broker.warnings
