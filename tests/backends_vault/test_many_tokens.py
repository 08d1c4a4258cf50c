"""Five hundred managed tokens whose secrets are in one OpenBao: one login, few connections, all of them fresh."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from backends.vault.session import MOST_CONNECTIONS
from broker.dev.authorization_server import DevelopmentAuthorizationServer
from tests.canary import MARKER
from tests.daemon.running import Daemon
from tests.end_to_end.relay import Relay
from tests.end_to_end.tables import development_server, new_role, vault_backend
from tests.servers.openbao import OpenBao
from tests.waiting import eventually

TOKENS = 500


@pytest.fixture
def server() -> Iterator[DevelopmentAuthorizationServer]:
    """Where all of them are minted."""
    with DevelopmentAuthorizationServer(marker=MARKER) as running:
        yield running


def table(number: int) -> str:
    """A managed token with a secret of its own."""
    return f"""
[tokens.t{number}]
authorization_server = "odc"
client_id = "many"
client_secret = {{ backend = "corp", path = "many/{number}", field = "client_secret" }}
scope = ["s{number}"]
poll_secret_version = "5s"
"""


@pytest.mark.backends
def test_five_hundred_secrets_share_one_login_and_its_connections(
    tmp_path: Path, openbao: OpenBao, server: DevelopmentAuthorizationServer
) -> None:
    """R-092: reads and version polls of all; a revoked login costs one more, not five hundred."""
    secret = server.register("many", lifetime_seconds=43_200).reveal()
    for number in range(TOKENS):
        openbao.put_secret(f"many/{number}", {"client_secret": secret})
    new_role(openbao, tmp_path, ["secret/data/many/*", "secret/metadata/many/*"])
    logins = len(openbao.requests("auth/approle/login"))
    with Relay(urlsplit(openbao.url).port or 0) as relay:
        relay.mend()
        backend = vault_backend(openbao, tmp_path, url=f"http://127.0.0.1:{relay.port}")
        tokens = "".join(table(number) for number in range(TOKENS))
        with Daemon(tmp_path, backend + development_server(server) + tokens) as daemon:

            def fresh() -> bool:
                records = daemon.ask("/v1/status")[1]["tokens"]
                return TOKENS == len([each for each in records if each["state"] == "fresh"])

            eventually(fresh, timeout=400, what="five hundred fresh tokens", retry_on=(OSError,))
            assert logins + 1 == len(openbao.requests("auth/approle/login"))
            openbao.revoke_all_logins()
            polled = len(openbao.requests("secret/metadata/many/0"))
            eventually(
                lambda: len(openbao.requests("secret/metadata/many/0")) >= polled + 2,
                timeout=120,
                what="two more looks at a version",
            )
            assert logins + 2 == len(openbao.requests("auth/approle/login"))
            assert None is daemon.metric("backend_logins_total", backend="corp", outcome="failure")
            assert len(relay._ends) // 2 <= MOST_CONNECTIONS
