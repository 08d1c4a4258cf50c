"""The broker's own Vault token over days of virtual time, against a server that keeps Vault's rules."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from backends.vault.backend import VaultBackend
from backends.vault.login import RELOGIN_PAUSE_SECONDS
from backends.vault.options import AppRole, VaultOptions
from broker.api import BackendLogin, PluginContext, SecretBackendUnavailable
from broker.testing.observer import RecordingObserver
from tests.contract.fault_server import Asked, FaultServer, Reply, running_fault_server

HOUR = 3600
DAY = 24 * HOUR
STEP_SECONDS = 600
PATIENCE_SECONDS = 20.0
LOGIN = "/v1/auth/approle/login"
SEAL_STATUS = "/v1/sys/seal-status"
SECRET = Reply(body={"data": {"data": {"client_secret": "S3CR3T-life"}, "metadata": {"version": 1}}})
FORBIDDEN = Reply(403, {"errors": ["permission denied"]})


@dataclass
class Rules:
    """The part of Vault that gives tokens, renews them up to a maximum life, and forgets them."""

    ttl: int = HOUR
    max_ttl: int = DAY
    renewable: bool = True
    login_works: bool = True
    refuses: bool = False
    sealed: bool = False
    tells_seal: bool = True
    now: float = 0.0
    logins: int = 0
    renewals: list[float] = field(default_factory=list)
    born: float = 0.0
    ends: float = 0.0

    def __call__(self, asked: Asked) -> Reply:
        if asked.path == SEAL_STATUS and self.tells_seal:
            return Reply(body={"sealed": self.sealed})
        if asked.path == LOGIN:
            return self._log_in()
        if asked.headers.get("x-vault-token") != f"S3CR3T-token-{self.logins}" or self.now >= self.ends:
            return FORBIDDEN
        return self._renew() if asked.path.endswith("/renew-self") else SECRET

    def _log_in(self) -> Reply:
        if self.refuses:
            return Reply(400, {"errors": ["invalid role or secret ID"]})
        if self.sealed or not self.login_works:
            return Reply(503, {"errors": []})
        self.logins += 1
        self.born, self.ends = self.now, self.now + self.ttl
        return self._auth(self.ttl)

    def _renew(self) -> Reply:
        if not self.renewable:
            return Reply(400, {"errors": ["lease is not renewable"]})
        self.renewals.append(self.now - self.born)
        self.ends = min(self.now + self.ttl, self.born + self.max_ttl)
        return self._auth(int(self.ends - self.now))

    def _auth(self, seconds: int) -> Reply:
        token = f"S3CR3T-token-{self.logins}"
        return Reply(
            body={"auth": {"client_token": token, "lease_duration": seconds, "renewable": self.renewable}}
        )


@pytest.fixture
def rules() -> Rules:
    """What the server keeps to, which a test may change."""
    return Rules()


@pytest.fixture
def server(rules: Rules) -> Iterator[FaultServer]:
    """A server that keeps the rules."""
    with running_fault_server(rules) as server:
        yield server


@pytest.fixture
def observer() -> RecordingObserver:
    """What the backend tells."""
    return RecordingObserver()


@pytest.fixture
def vault(server: FaultServer, rules: Rules, observer: RecordingObserver, tmp_path: Path) -> VaultBackend:
    """A backend that lives by the server's clock."""
    secret_id = tmp_path / "secret-id"
    secret_id.write_text("S3CR3T-secret-id")
    options = VaultOptions(
        url=server.url,
        allow_insecure_loopback=True,
        auth=AppRole(role_id="role", secret_id_file=str(secret_id)),
    )
    context = PluginContext(name="corp", observer=observer)
    return VaultBackend(options, context, clock=lambda: rules.now)


def read(vault: VaultBackend) -> str:
    """Answer the client secret."""
    return vault.read("odc", timeout_seconds=PATIENCE_SECONDS).fields["client_secret"].reveal()


def live(vault: VaultBackend, rules: Rules, seconds: int) -> int:
    """Read every ten minutes for a while; answer how many logins that took."""
    for _ in range(seconds // STEP_SECONDS):
        assert "S3CR3T-life" == read(vault)
        rules.now += STEP_SECONDS
    return rules.logins


def test_ten_days_of_a_token_with_a_maximum_life(
    vault: VaultBackend, rules: Rules, server: FaultServer
) -> None:
    """One login a day, renewals in between, and not one question with a dead token (R-090)."""
    logins = live(vault, rules, 10 * DAY)
    lookups = server.asked("/v1/auth/token/lookup-self")
    assert (11, []) == (logins, lookups)
    assert 2 * HOUR / 3 == rules.renewals[0]


def test_token_that_cannot_be_renewed_is_replaced_in_time(
    vault: VaultBackend, rules: Rules, server: FaultServer
) -> None:
    """Batch tokens: a login at two thirds of each life, no attempt to renew (R-090)."""
    rules.renewable = False
    logins = live(vault, rules, DAY)
    assert (DAY // (2 * HOUR // 3), []) == (logins, server.asked("/v1/auth/token/renew-self"))


def test_old_token_serves_to_its_end_while_logins_fail(
    vault: VaultBackend, rules: Rules, observer: RecordingObserver
) -> None:
    """A login that fails takes nothing away, and is tried again at a calm pace (R-091)."""
    rules.renewable = False
    read(vault)
    rules.login_works = False
    for seconds in (2 * HOUR / 3, 1, 1, RELOGIN_PAUSE_SECONDS):
        rules.now += seconds
        assert "S3CR3T-life" == read(vault)
    assert ["success", "failure", "failure"] == [event.outcome for event in observer.of(BackendLogin)]
    rules.now = HOUR
    with pytest.raises(SecretBackendUnavailable, match="sealed or in maintenance"):
        read(vault)
    rules.login_works = True
    rules.now += RELOGIN_PAUSE_SECONDS
    assert "S3CR3T-life" == read(vault)


def fail(vault: VaultBackend, rules: Rules, seconds: int) -> None:
    """Read every second for a while, in vain."""
    for _ in range(seconds):
        with pytest.raises(SecretBackendUnavailable):
            read(vault)
        rules.now += 1


def test_server_that_is_sealed_for_an_hour_sees_one_login(
    vault: VaultBackend, rules: Rules, server: FaultServer
) -> None:
    """R-092, F-22: whoever reads, it is looked at once in ten seconds, and used as soon as it is unsealed."""
    rules.sealed = True
    fail(vault, rules, HOUR)
    assert 1 == len(server.asked(LOGIN))
    assert HOUR / 10 + 10 > len(server.asked(SEAL_STATUS)) > HOUR / 10 - 10
    rules.sealed = False
    rules.now += 10
    assert "S3CR3T-life" == read(vault)


@pytest.mark.parametrize(
    "tells", [pytest.param(True, id="looks-well"), pytest.param(False, id="does-not-tell")]
)
def test_logins_that_fail_for_an_hour_are_paced(
    vault: VaultBackend, rules: Rules, server: FaultServer, *, tells: bool
) -> None:
    """R-092, F-22: at most twenty, also where only logins fail, and where nobody may ask whether it is sealed."""
    rules.login_works, rules.tells_seal = False, tells
    fail(vault, rules, HOUR)
    assert 20 >= len(server.asked(LOGIN)) > 15


def test_replaced_credentials_are_tried_at_once(
    vault: VaultBackend, rules: Rules, server: FaultServer, tmp_path: Path
) -> None:
    """An operator who put a new secret-id there does not wait for the end of a pause."""
    rules.refuses = True
    fail(vault, rules, 600)
    rules.refuses = False
    (tmp_path / "secret-id").write_text("S3CR3T-secret-id-2")
    assert "S3CR3T-life" == read(vault)


def test_hung_renewal_holds_nobody_whose_token_still_lives(
    vault: VaultBackend, rules: Rules, server: FaultServer
) -> None:
    """Who renews gives up halfway and reads with the old token; the others do not even wait for that."""
    read(vault)
    rules.now = 2 * HOUR / 3
    hung, released = threading.Event(), threading.Event()

    def script(asked: Asked) -> Reply:
        if asked.path.endswith("/renew-self"):
            hung.set()
            released.wait(PATIENCE_SECONDS)
        return rules(asked)

    server.script = script
    try:
        with ThreadPoolExecutor(1) as threads:
            renewing = threads.submit(vault.read, "odc", timeout_seconds=8.0)
            assert hung.wait(PATIENCE_SECONDS)
            assert ("S3CR3T-life", False) == (read(vault), renewing.done())
            assert "1" == renewing.result().version
    finally:
        released.set()


def test_renewal_that_fails_for_now_is_tried_again(
    vault: VaultBackend, rules: Rules, server: FaultServer
) -> None:
    """503 at renewal: neither a login nor a failure to read, and the renewal succeeds later."""
    read(vault)
    rules.now = 2 * HOUR / 3
    server.script = lambda asked: Reply(503) if asked.path.endswith("/renew-self") else rules(asked)
    assert "S3CR3T-life" == read(vault)
    server.script = rules
    rules.now += RELOGIN_PAUSE_SECONDS
    read(vault)
    assert (1, 1) == (rules.logins, len(rules.renewals))
